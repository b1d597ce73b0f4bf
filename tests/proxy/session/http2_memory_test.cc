#include "proxy/session/http2_memory.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace weir {
namespace {

struct Free {
  void operator()(nghttp2_session* s) const { nghttp2_session_del(s); }
};
using Session = std::unique_ptr<nghttp2_session, Free>;

Session NewSession() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session* session = nullptr;
  nghttp2_session_server_new3(&session, callbacks, nullptr, nullptr, SessionMemory());
  nghttp2_session_callbacks_del(callbacks);
  return Session(session);
}

void SendSettings(nghttp2_session* session) {
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  const uint8_t* bytes = nullptr;
  while (nghttp2_session_mem_send(session, &bytes) > 0) {
  }
}

TEST(Http2Memory, ASessionsFrameBufferTakesOnePage) {
  constexpr size_t kSessions = 100;
  const FrameBufferUse before = MeasureFrameBuffers();
  std::vector<Session> sessions;
  for (size_t i = 0; i < kSessions; ++i) {
    sessions.push_back(NewSession());
    SendSettings(sessions.back().get());
  }
  const FrameBufferUse with = MeasureFrameBuffers();
  EXPECT_EQ(with.buffers - before.buffers, kSessions);
  EXPECT_GT(with.resident_bytes, before.resident_bytes);
  EXPECT_LE(with.resident_bytes - before.resident_bytes, kSessions * 4096);

  sessions.clear();
  const FrameBufferUse after = MeasureFrameBuffers();
  EXPECT_EQ(after.buffers, before.buffers);
  EXPECT_LE(after.resident_bytes, before.resident_bytes);
}

TEST(Http2Memory, WhatWasGivenBackIsTakenAgain) {
  nghttp2_mem* const memory = SessionMemory();
  void* const first = memory->malloc(17000, memory->mem_user_data);
  memory->free(first, memory->mem_user_data);
  void* const second = memory->realloc(nullptr, 17000, memory->mem_user_data);
  EXPECT_EQ(first, second);
  memory->free(second, memory->mem_user_data);
}

TEST(Http2Memory, WhatGrowsKeepsItsBytes) {
  nghttp2_mem* const memory = SessionMemory();
  const std::string text(16500, 'x');
  void* p = memory->malloc(text.size(), memory->mem_user_data);
  ASSERT_NE(p, nullptr);
  std::memcpy(p, text.data(), text.size());
  for (const size_t size : {size_t{20000}, size_t{40000}, size_t{80000}}) {
    p = memory->realloc(p, size, memory->mem_user_data);
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(std::string_view(static_cast<char*>(p), text.size()), text);
  }
  memory->free(p, memory->mem_user_data);
}

TEST(Http2Memory, WhatIsSmallOrLargeIsTheHeaps) {
  const FrameBufferUse before = MeasureFrameBuffers();
  nghttp2_mem* const memory = SessionMemory();
  std::vector<void*> all;
  for (const size_t size : {size_t{1}, size_t{4096}, size_t{100'000}})
    all.push_back(memory->malloc(size, memory->mem_user_data));
  all.push_back(memory->calloc(256, 16, memory->mem_user_data));
  EXPECT_EQ(MeasureFrameBuffers().buffers, before.buffers);
  for (void* const p : all) memory->free(p, memory->mem_user_data);
}

}  // namespace
}  // namespace weir
