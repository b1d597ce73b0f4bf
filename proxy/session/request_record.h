// What becomes of one request, for the metrics and the access line.
#pragma once

#include <memory>
#include <string_view>

#include "proxy/admin/metrics.h"
#include "proxy/session/exchange.h"
#include "proxy/session/service.h"

namespace weir {

// Counts as a request in flight for as long as it exists. Movable; thread-affine.
class RequestRecord {
 public:
  RequestRecord(ServiceShared& shared, const http::RequestHead& request, TimePoint received);
  RequestRecord(RequestRecord&& other) noexcept;
  RequestRecord& operator=(RequestRecord&&) = delete;
  ~RequestRecord();

  VerbLabel verb;
  SourceLabel source = SourceLabel::kLocal;

  // Whether it has been moved elsewhere.
  bool gone() const { return shared_ == nullptr; }
  // Keeps what the access line needs of a head that will be forgotten.
  void Remember(const http::RequestHead& request);
  // The answer is over. `user`: empty where nobody asked who it is.
  void Close(const Exchange& exchange, std::string_view user, TimePoint now);

 private:
  struct Line;

  ServiceShared* shared_;
  const TimePoint received_;
  std::unique_ptr<const Line> line_;
  const bool mutating_;
};

}  // namespace weir
