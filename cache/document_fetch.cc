#include "cache/document_fetch.h"

#include <utility>

#include <fmt/format.h>

namespace weir {

DocumentFetch::DocumentFetch(ListWatcher& upstream, std::string path, Done done)
    : done_(std::move(done)) {
  ApiRequest request;
  request.target = std::move(path);
  request.head_timeout = std::chrono::seconds(5);
  request.stall_timeout = std::chrono::seconds(5);
  call_ = upstream.Get(std::move(request), *this);
}

DocumentFetch::~DocumentFetch() = default;

void DocumentFetch::OnHead(const ApiResponseHead& head) { http_ = head.status; }

void DocumentFetch::OnBody(std::string_view bytes) {
  if (body_.size() + bytes.size() > kMaxBytes)
    return Finish(ResourceExhausted("a discovery document is too large"));
  body_.append(bytes);
}

void DocumentFetch::OnEnd(const Status& status) {
  if (!status.ok()) return Finish(status);
  if (http_ == 404) return Finish(NotFound("upstream answered 404"));
  if (http_ != 200) return Finish(FailedPrecondition(fmt::format("upstream answered {}", http_)));
  Finish(std::move(body_));
}

void DocumentFetch::Finish(StatusOr<std::string> result) {
  call_.reset();
  Done done = std::move(done_);
  done(std::move(result));
}

}  // namespace weir
