#include "proxy/config/live_config.h"

#include <fmt/format.h>

#include <utility>

#include "proxy/config/option_table.h"

namespace weir {

LiveConfig::Changes LiveConfig::TakeUp(const Config& read) {
  Changes changes;
  auto next = std::make_unique<Config>(**this);
  for (const Option& option : OptionTable()) {
    std::string value = option.get(read);
    if (value == option.get(*next)) continue;
    std::string flag = fmt::format("--{}={}", option.flag, value);
    if (option.live && option.set(*next, {std::move(value)}).ok()) {
      changes.taken_up.push_back(std::move(flag));
    } else {
      changes.waiting.push_back(std::move(flag));
    }
  }
  if (!changes.taken_up.empty()) {
    later_.push_back(std::move(next));
    current_.store(later_.back().get(), std::memory_order_release);
  }
  if (changes.waiting == waiting_) {
    changes.waiting.clear();
  } else {
    waiting_ = changes.waiting;
  }
  return changes;
}

}  // namespace weir
