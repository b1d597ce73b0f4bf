// What a replica tells the others of itself: the page /rebalancez of its admin port.
//
//   {"instance":"5f0c…","connections":120,"leaving":3,"ready":true}
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/status.h"

namespace weir {

struct ReplicaLoad {
  std::string instance;      // Of the process, random: 32 hex digits. It tells replicas apart,
                             // whatever the addresses are by which they are reached.
  uint64_t connections = 0;  // HTTP/2 connections of clients that take new streams.
  // Those that take none and are open for what runs on them: their clients connect anew, here or
  // elsewhere, once they have something to ask.
  uint64_t leaving = 0;
  bool ready = false;  // New clients may be sent here.
  friend bool operator==(const ReplicaLoad&, const ReplicaLoad&) = default;
};

// A new process's `instance`.
std::string NewInstance();

std::string ToJson(const ReplicaLoad& load);

// Beyond it an answer is no replica's.
inline constexpr size_t kMaxLoadAnswer = 4096;

// `bytes` are a whole answer over HTTP/1.x, head and body, up to the connection's end. Strict, as
// nobody but Weir makes such pages: 200, a Content-Length that is exactly the body's, one JSON
// object that has each of the four once; unknown ones are a later version's. InvalidArgument says
// what is wrong.
StatusOr<ReplicaLoad> ParseLoadAnswer(std::string_view bytes);

}  // namespace weir
