// What a worker's watchers have counted.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bench/fleet/histogram.h"

namespace weir::fleet {

// Thread-affine; merged when the workers have stopped.
struct Tally {
  uint64_t lists = 0, list_bytes = 0;
  uint64_t watches = 0, watch_bytes = 0;
  uint64_t events = 0, bookmarks = 0;
  uint64_t clean_ends = 0;                    // Of watches, by the server, at a frame.
  uint64_t relists = 0;                       // After a 410.
  uint64_t refused = 0;                       // 429 and 503: asked again later.
  uint64_t checked = 0, checked_objects = 0;  // Sampled watchers compared with a list.

  // Wrong, each of them.
  uint64_t errors = 0;  // Connections that failed, streams cut, answers that are none.
  uint64_t duplicate = 0, reordered = 0, lost = 0, backwards = 0;

  uint64_t synced = 0;  // Watchers whose first watch has begun.
  Duration last_synced{0};
  Histogram spread;  // From the first watcher that saw an event to each other one.
  Histogram age;     // From the time in the object's annotation to the watcher.
  Histogram list_time;

  std::map<std::string, uint64_t> messages;  // Errors by text, the first hundred texts.

  void Note(const std::string& message);
  void Merge(const Tally& other);
  bool consistent() const { return duplicate + reordered + lost + backwards == 0; }
};

// Lines of "name value", for people and scripts.
std::string Report(const Tally& tally, Duration elapsed);

}  // namespace weir::fleet
