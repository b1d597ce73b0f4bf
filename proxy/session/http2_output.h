// What HTTP/2 connections of a worker have to send, gathered so that little of it is copied and
// much of it goes out in one call.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/worker.h"

namespace weir {

// The frames that one pass over a connection makes: headers of frames copied, payload by reference.
// Scratch: only within a call.
class Http2Batch {
 public:
  // One visit of the socket.
  static constexpr size_t kMaxBytes = size_t{256} << 10;

  Http2Batch();

  void Clear();
  // False: what follows has to wait until this was sent.
  bool HasRoom(size_t payload) const;
  // At most kCopied bytes at a time.
  void AddCopy(std::string_view bytes);
  void AddReference(std::string_view bytes);

  std::span<const std::string_view> pieces() const { return pieces_; }
  size_t bytes() const { return bytes_; }

  static constexpr size_t kCopied = size_t{32} << 10;

 private:
  std::string copies_;  // Never grows beyond what it has reserved: `pieces_` points into it.
  std::vector<std::string_view> pieces_;
  bool last_is_copy_ = false;
  size_t bytes_ = 0;
};

// Connections that hold a few bytes each for the end of the worker's turn, so that all streams of a
// connection that had something to say in it are sealed and sent together.
//
// Thread-affine; one of each worker.
class FlushQueue {
 public:
  class Member {
   public:
    virtual ~Member() = default;
    // Sends what is held.
    virtual void FlushNow() = 0;

   private:
    friend class FlushQueue;
    bool queued_ = false;
  };

  // What all connections of the worker hold at most; beyond it all are sent at once.
  static constexpr size_t kMaxHeld = size_t{1} << 20;

  explicit FlushQueue(Worker& worker) : worker_(worker) {}
  FlushQueue(const FlushQueue&) = delete;
  FlushQueue& operator=(const FlushQueue&) = delete;

  // `bytes` more are held by `member`, until FlushNow() is called: later, or inside this call.
  void Add(Member& member, size_t bytes);
  void Remove(Member& member);

  // Empty strings with room in them, so that nothing is allocated in each turn.
  std::string TakeBuffer();
  void GiveBuffer(std::string buffer);

 private:
  void FlushAll();

  Worker& worker_;
  std::vector<Member*> members_;  // Null: has left.
  std::vector<std::string> buffers_;
  size_t held_ = 0;
  bool posted_ = false;
};

}  // namespace weir
