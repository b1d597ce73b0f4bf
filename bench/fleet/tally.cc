#include "bench/fleet/tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace weir::fleet {

namespace {
constexpr size_t kMaxMessages = 100;

double Milliseconds(Duration time) { return static_cast<double>(time.count()) / 1e6; }

std::string Percentiles(std::string_view name, const Histogram& times) {
  if (times.count() == 0) return fmt::format("{:<22}not measured\n", name);
  return fmt::format("{:<22}p50 {:.2f} ms  p90 {:.2f}  p99 {:.2f}  max {:.2f}  of {}\n", name,
                     Milliseconds(times.Percentile(50)), Milliseconds(times.Percentile(90)),
                     Milliseconds(times.Percentile(99)), Milliseconds(times.max()), times.count());
}
}  // namespace

void Tally::Note(const std::string& message) {
  if (messages.size() < kMaxMessages || messages.contains(message)) ++messages[message];
}

void Tally::Merge(const Tally& other) {
  for (uint64_t Tally::* const count :
       {&Tally::lists, &Tally::list_bytes, &Tally::watches, &Tally::watch_bytes, &Tally::events,
        &Tally::bookmarks, &Tally::clean_ends, &Tally::relists, &Tally::refused, &Tally::checked,
        &Tally::checked_objects, &Tally::errors, &Tally::duplicate, &Tally::reordered, &Tally::lost,
        &Tally::backwards, &Tally::synced}) {
    this->*count += other.*count;
  }
  last_synced = std::max(last_synced, other.last_synced);
  spread.Merge(other.spread);
  age.Merge(other.age);
  list_time.Merge(other.list_time);
  for (const auto& [text, count] : other.messages) messages[text] += count;
}

std::string Report(const Tally& t, Duration elapsed) {
  const double seconds = static_cast<double>(elapsed.count()) / 1e9;
  std::string out = fmt::format(
      "seconds               {:.1f}\n"
      "lists                 {} ({:.1f} MB)\n"
      "watches               {} ({:.1f} MB), {} ended cleanly\n"
      "synced                {} watchers, the last after {:.2f} s\n"
      "events                {} ({:.0f} per second), {} bookmarks\n",
      seconds, t.lists, static_cast<double>(t.list_bytes) / 1e6, t.watches,
      static_cast<double>(t.watch_bytes) / 1e6, t.clean_ends, t.synced,
      Milliseconds(t.last_synced) / 1e3, t.events,
      seconds > 0 ? static_cast<double>(t.events) / seconds : 0, t.bookmarks);
  out += Percentiles("list time", t.list_time);
  out += Percentiles("spread", t.spread);
  out += Percentiles("age", t.age);
  out += fmt::format(
      "relists               {}\n"
      "refused               {}\n"
      "checked               {} watchers, {} objects\n"
      "lost                  {}\n"
      "duplicate             {}\n"
      "reordered             {}\n"
      "backwards             {}\n"
      "errors                {}\n",
      t.relists, t.refused, t.checked, t.checked_objects, t.lost, t.duplicate, t.reordered,
      t.backwards, t.errors);
  for (const auto& [text, count] : t.messages) out += fmt::format("  {} x {}\n", count, text);
  return out;
}

}  // namespace weir::fleet
