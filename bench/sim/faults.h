// Trouble on command: what the control port asks for, and the server and the API apply.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/sim/request.h"
#include "protocol/base/executor.h"
#include "protocol/k8s/api_error.h"

namespace weir::sim {

// Thread-affine. "" for a resource or verb stands for any.
class Faults {
 public:
  // The next `count` matching requests get this HTTP status; a watch gets 410 as an ERROR event.
  struct Refusal {
    int code = 500;
    std::string verb, resource;
    uint64_t count = 1;
    int retry_after_seconds = 1;
  };
  static constexpr size_t kMaxRefusals = 64;

  // False: too many at once.
  bool Refuse(Refusal refusal);
  // Nothing is answered or sent until then, of that resource.
  void Stall(TimePoint until, std::string resource) {
    stalled_until_ = until;
    stalled_resource_ = std::move(resource);
  }
  // The next `count` answers and watch writes of that resource stop halfway, with the connection.
  void Cut(uint64_t count, std::string resource) {
    cuts_ = count;
    cut_resource_ = std::move(resource);
  }
  void Clear() { *this = Faults(); }

  // What to answer in place of the real thing; counts down.
  std::optional<ApiError> TakeRefusal(const RequestInfo& info);
  // Whether this write is to be cut; counts down.
  bool TakeCut(std::string_view resource);
  // When to go on; in the past: now.
  TimePoint ResumeAt(std::string_view resource) const;

 private:
  std::vector<Refusal> refusals_;
  TimePoint stalled_until_;
  std::string stalled_resource_;
  uint64_t cuts_ = 0;
  std::string cut_resource_;
};

}  // namespace weir::sim
