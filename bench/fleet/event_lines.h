// Reads the little that a watcher must know out of a watch stream, at the price of a search for
// line ends.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/status.h"
#include "protocol/k8s/resource.h"
#include "protocol/k8s/watch_frame.h"

namespace weir::fleet {

struct EventLine {
  FrameType type = FrameType::kError;
  Revision revision;  // 0 for an ERROR.
  std::string_view line;
};

// The first "resourceVersion" of a text: that of the list, or of a built-in object, whose keys come
// in the order of its type. Null: none, or not a number.
std::optional<Revision> FirstRevision(std::string_view json);

// Cuts a stream into events. Holds at most one incomplete line.
class EventLines {
 public:
  static constexpr size_t kMaxLine = size_t{16} << 20;

  // Takes the next piece, to be read out by Next() before the one after it.
  void Feed(std::string_view bytes) { fed_ = bytes; }
  // The next whole event, valid until the next call; false: more bytes are needed. InvalidArgument:
  // not an event. ResourceExhausted: a line above kMaxLine.
  StatusOr<bool> Next(EventLine& event);
  // Whether a line was begun and has not ended, once Next() has said false.
  bool incomplete() const { return !begun_.empty(); }

 private:
  std::string begun_;  // A line whose end has not come yet.
  bool whole_ = false;
  std::string_view fed_;
};

}  // namespace weir::fleet
