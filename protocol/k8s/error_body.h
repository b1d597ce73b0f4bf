// An error as the body of an answer, in the form that was negotiated (api-semantics 5.2).
#pragma once

#include <string>
#include <string_view>

#include "protocol/k8s/accept.h"
#include "protocol/k8s/api_error.h"

namespace weir {

struct ErrorBody {
  std::string_view content_type;
  std::string bytes;
};

// As upstream writes it: compact JSON and YAML end with a newline, indented JSON does not, protobuf
// is in its envelope. ApiError::Timeout() is compact JSON without a type of its own, whatever the
// form: upstream's filter for time-outs does not negotiate.
ErrorBody EncodeError(const ApiError& error, ErrorForm form);

}  // namespace weir
