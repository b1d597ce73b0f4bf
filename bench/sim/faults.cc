#include "bench/sim/faults.h"

#include <algorithm>

#include "protocol/http/head.h"

namespace weir::sim {
namespace {

bool Covers(const std::string& pattern, std::string_view text) {
  return pattern.empty() || pattern == text;
}

ApiError ErrorOf(const Faults::Refusal& refusal) {
  switch (refusal.code) {
    case 410:
      return ApiError::ListExpired();
    case 429:
      return ApiError::TooManyRequests("storage is (re)initializing", refusal.retry_after_seconds);
    case 503:
      return ApiError::ServiceUnavailable("the server is currently unable to handle the request",
                                          refusal.retry_after_seconds);
    default:
      break;
  }
  ApiError error;
  error.code = refusal.code;
  error.reason = refusal.code == 500 ? "InternalError" : "";
  error.message = std::string(http::ReasonPhrase(refusal.code)) + ": asked for by the control port";
  return error;
}

}  // namespace

bool Faults::Refuse(Refusal refusal) {
  if (refusals_.size() == kMaxRefusals) return false;
  if (refusal.count > 0) refusals_.push_back(std::move(refusal));
  return true;
}

std::optional<ApiError> Faults::TakeRefusal(const RequestInfo& info) {
  const auto found = std::find_if(refusals_.begin(), refusals_.end(), [&](const Refusal& refusal) {
    return Covers(refusal.verb, info.verb) && Covers(refusal.resource, info.id.resource);
  });
  if (found == refusals_.end()) return {};
  ApiError error = ErrorOf(*found);
  if (--found->count == 0) refusals_.erase(found);
  return error;
}

bool Faults::TakeCut(std::string_view resource) {
  if (cuts_ == 0 || !Covers(cut_resource_, resource)) return false;
  --cuts_;
  return true;
}

TimePoint Faults::ResumeAt(std::string_view resource) const {
  return Covers(stalled_resource_, resource) ? stalled_until_ : TimePoint();
}

}  // namespace weir::sim
