// The head of an answer over HTTP/2, field by field, held to HTTP/1.1's rules.
#pragma once

#include <cstddef>
#include <string_view>

#include "protocol/base/status.h"
#include "protocol/http/message.h"

namespace weir {

// What the fields of one answer may be, as of a head in HTTP/1.1: 256 KiB, 1,024 fields.
class Http2FieldBounds {
 public:
  // False: it is too much.
  bool Admits(std::string_view name, std::string_view value);

 private:
  size_t bytes_ = 0;
  size_t fields_ = 0;
};

// Thread-affine; of one head, interim or final.
class Http2AnswerBuilder {
 public:
  void Add(std::string_view name, std::string_view value);
  // `method`: of the request. InvalidArgument: malformed.
  StatusOr<http::ResponseHead> Finish(std::string_view method, bool end_stream);

 private:
  http::ResponseHead head_;
  Http2FieldBounds bounds_;
  const char* wrong_ = nullptr;
};

}  // namespace weir
