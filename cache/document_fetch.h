// One small document from upstream, whole: discovery.
#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "cache/list_watcher.h"
#include "protocol/base/status.h"

namespace weir {

// Thread-affine to the ListWatcher's executor. Destroying it cancels the request.
class DocumentFetch final : private ApiResponseSink {
 public:
  static constexpr size_t kMaxBytes = size_t{8} << 20;

  // NotFound: 404. FailedPrecondition: another answer than 200. ResourceExhausted: above kMaxBytes.
  // Unavailable, DeadlineExceeded: transport. Called once, never inside the constructor; may
  // destroy the fetch.
  using Done = absl::AnyInvocable<void(StatusOr<std::string>)>;

  DocumentFetch(ListWatcher& upstream, std::string path, Done done);
  ~DocumentFetch() override;

 private:
  void Finish(StatusOr<std::string> result);
  void OnHead(const ApiResponseHead& head) override;
  void OnBody(std::string_view bytes) override;
  void OnEnd(const Status& status) override;

  Done done_;
  int http_ = 0;
  std::string body_;
  std::unique_ptr<ApiCall> call_;
};

}  // namespace weir
