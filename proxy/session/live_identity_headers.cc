#include "proxy/session/live_identity_headers.h"

#include <algorithm>
#include <utility>

#include "protocol/base/log.h"

namespace weir {

namespace {

constexpr size_t kMaxNames = 256;

// Whether `list` grew.
bool AddNew(const std::vector<std::string>& names, std::vector<std::string>& list) {
  const size_t before = list.size();
  for (const std::string& name : names) {
    std::string folded = FoldedHeaderName(name);
    if (std::find(list.begin(), list.end(), folded) == list.end())
      list.push_back(std::move(folded));
  }
  return list.size() > before;
}

}  // namespace

LiveIdentityHeaders::LiveIdentityHeaders(IdentityHeaderNames configured) {
  all_.push_back(std::make_unique<const IdentityHeaderNames>(std::move(configured)));
  now_ = all_.back().get();
}

void LiveIdentityHeaders::Add(const std::vector<std::string>& names,
                              const std::vector<std::string>& prefixes) {
  const MutexLock lock(mutex_);
  IdentityHeaderNames more = **this;
  const bool names_grew = AddNew(names, more.names);
  const bool prefixes_grew = AddNew(prefixes, more.prefixes);
  const size_t count = more.names.size() + more.prefixes.size();
  if (count > kMaxNames) {
    Log(LogLevel::kError,
        "Too many names of headers by which the API server believes a front proxy",
        {{"names", count}, {"most", kMaxNames}});
    complete_.store(false, std::memory_order_release);
    return;
  }
  if (names_grew || prefixes_grew) {
    all_.push_back(std::make_unique<const IdentityHeaderNames>(std::move(more)));
    now_.store(all_.back().get(), std::memory_order_release);
  }
  complete_.store(true, std::memory_order_release);
}

}  // namespace weir
