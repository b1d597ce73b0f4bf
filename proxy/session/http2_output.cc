#include "proxy/session/http2_output.h"

#include <algorithm>
#include <utility>

namespace weir {

namespace {
constexpr size_t kMaxBuffers = 64;
constexpr size_t kMaxBufferBytes = size_t{64} << 10;
}  // namespace

Http2Batch::Http2Batch() { copies_.reserve(2 * kCopied); }

void Http2Batch::Clear() {
  copies_.clear();
  pieces_.clear();
  last_is_copy_ = false;
  bytes_ = 0;
}

bool Http2Batch::HasRoom(size_t payload) const {
  return bytes_ == 0 || (bytes_ + payload <= kMaxBytes && copies_.size() <= kCopied);
}

void Http2Batch::AddCopy(std::string_view bytes) {
  const size_t begin = copies_.size();
  copies_.append(bytes);
  const std::string_view copy = std::string_view(copies_).substr(begin);
  bytes_ += copy.size();
  if (std::exchange(last_is_copy_, true)) {
    pieces_.back() = {pieces_.back().data(), pieces_.back().size() + copy.size()};
  } else {
    pieces_.push_back(copy);
  }
}

void Http2Batch::AddReference(std::string_view bytes) {
  if (bytes.empty()) return;
  pieces_.push_back(bytes);
  last_is_copy_ = false;
  bytes_ += bytes.size();
}

void FlushQueue::Add(Member& member, size_t bytes) {
  held_ += bytes;
  if (!member.queued_) {
    member.queued_ = true;
    members_.push_back(&member);
  }
  if (held_ >= kMaxHeld) return FlushAll();
  if (std::exchange(posted_, true)) return;
  worker_.Post([this] {
    posted_ = false;
    FlushAll();
  });
}

void FlushQueue::Remove(Member& member) {
  if (!std::exchange(member.queued_, false)) return;
  std::replace(members_.begin(), members_.end(), &member, static_cast<Member*>(nullptr));
}

void FlushQueue::FlushAll() {
  held_ = 0;
  for (size_t i = 0; i < members_.size(); ++i) {  // It may grow meanwhile.
    Member* const member = members_[i];
    if (member == nullptr) continue;
    member->queued_ = false;
    member->FlushNow();
  }
  members_.clear();
}

std::string FlushQueue::TakeBuffer() {
  if (buffers_.empty()) return {};
  std::string buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void FlushQueue::GiveBuffer(std::string buffer) {
  if (buffers_.size() >= kMaxBuffers || buffer.capacity() > kMaxBufferBytes) return;
  buffer.clear();
  buffers_.push_back(std::move(buffer));
}

}  // namespace weir
