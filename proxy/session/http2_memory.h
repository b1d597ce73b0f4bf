// Memory for nghttp2's sessions, in which what a session keeps and hardly uses takes no room.
//
// Each has a buffer of 16 KiB for a frame that it packs, for as long as it lives. Ours are small:
// DATA is never copied into it, heads are a few hundred bytes. From the heap such a buffer is made
// of pages that a handshake has just used, all of them resident; here it lies alone on pages that
// nobody has touched, and takes the one that it writes to.
//
//   reserved addresses  │ 20 KiB │ 20 KiB │ 20 KiB │ …      resident: the first 4 KiB of each in
//   use
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>

namespace weir {

// For nghttp2_session_server_new3() and its kin: malloc, but for what is about as large as a
// frame. Where the addresses are used up or refused that is the heap's too. Of the process;
// thread-safe, as a session may end on another thread than its own.
nghttp2_mem* SessionMemory();

// How many of those buffers there are, and how many bytes of them are resident. For tests: O(all).
struct FrameBufferUse {
  size_t buffers = 0;
  size_t resident_bytes = 0;
};
FrameBufferUse MeasureFrameBuffers();

}  // namespace weir
