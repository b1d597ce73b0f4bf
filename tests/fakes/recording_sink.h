// A WatchSink that keeps what it is sent, and takes as much as it is told to.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "cache/replica.h"

namespace weir {

class RecordingSink final : public WatchSink {
 public:
  bool Write(std::span<const std::string_view> pieces, size_t bytes, size_t) override {
    EXPECT_FALSE(ended);
    EXPECT_FALSE(blocked_) << "written to before it was writable again";
    std::string text;
    for (const std::string_view piece : pieces) text += piece;
    EXPECT_EQ(text.size(), bytes);
    writes.push_back(text);
    all += text;
    blocked_ = room != kUnlimited && (room == 0 || --room == 0);
    if (on_write) on_write();
    return !blocked_;
  }
  void End() override {
    EXPECT_FALSE(ended);
    ended = true;
  }

  // As a session whose socket has drained: goes on while there is more and it may.
  void Drain(Watcher& watcher, size_t new_room = kUnlimited) {
    room = new_room;
    blocked_ = false;
    while (watcher.OnWritable() && !blocked_) {
    }
  }

  // "ADDED ns/a 101", "BOOKMARK 105", "BOOKMARK! 105" with the initial-events-end mark, "ERROR
  // message".
  std::vector<std::string> Take() {
    std::vector<std::string> events;
    std::string_view left = all;
    while (!left.empty()) {
      const size_t end = left.find('\n');
      EXPECT_NE(end, std::string_view::npos) << "not a whole frame";
      if (end == std::string_view::npos) break;
      events.push_back(Describe(left.substr(0, end)));
      left.remove_prefix(end + 1);
    }
    all.clear();
    writes.clear();
    return events;
  }

  static constexpr size_t kUnlimited = SIZE_MAX;
  size_t room = kUnlimited;  // Writes until it takes no more.
  std::vector<std::string> writes;
  std::string all;
  bool ended = false;
  std::function<void()> on_write;

 private:
  static std::string Between(std::string_view text, std::string_view before) {
    const size_t at = text.find(before);
    if (at == std::string_view::npos) return "";
    text.remove_prefix(at + before.size());
    return std::string(text.substr(0, text.find('"')));
  }
  static std::string Describe(std::string_view frame) {
    const std::string type = Between(frame, R"("type":")");
    if (type == "ERROR") return type + " " + Between(frame, R"("message":")");
    const std::string revision = Between(frame, R"("resourceVersion":")");
    const bool mark = frame.find("k8s.io/initial-events-end") != std::string_view::npos;
    if (type == "BOOKMARK") return type + (mark ? "! " : " ") + revision;
    return type + " " + Between(frame, R"("namespace":")") + "/" + Between(frame, R"("name":")") +
           " " + revision;
  }

  bool blocked_ = false;
};

}  // namespace weir
