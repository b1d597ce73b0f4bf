// The body of an answer from the cache on its way out: indented, compressed and framed as
// kube-apiserver does it (api-semantics 5.6 to 5.8).
//
//   pieces ─▶ indent ─▶ hold until it is known whether to compress ─▶ gzip
//          ─▶ hold until it is known whether a length can be told ─▶ Exchange
//
// Without indentation and compression nothing but the first 2 KiB (HTTP/2: 4) is copied.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/json_indent.h"
#include "protocol/http/gzip.h"
#include "proxy/session/exchange.h"

namespace weir {

class BodyWriter {
 public:
  struct Options {
    bool pretty = false;
    bool gzip = false;         // The client takes it.
    uint64_t known_bytes = 0;  // Of the whole body as it is given, where that is known; else 0.
  };
  // One visit of the socket.
  static constexpr size_t kWindowBytes = size_t{256} << 10;

  // `head` goes out with the first bytes, or with the end.
  BodyWriter(Exchange& exchange, http::ResponseHead head, Options options);
  ~BodyWriter();
  BodyWriter(const BodyWriter&) = delete;
  BodyWriter& operator=(const BodyWriter&) = delete;

  // Others on the worker have had their turn, and the socket has taken what it got, when it is
  // back.
  Async<Status> Add(std::span<const std::string_view> pieces);
  // Whether all is compressed from here on, so that compressed blocks can be added as they are.
  // They are copied, and wait for others to make a write worth its price.
  bool compresses() const { return gzip_ != nullptr && indenter_ == nullptr; }
  Async<Status> AddBlocks(const http::DeflatedBlocks& blocks);
  Async<Status> Finish();

 private:
  Async<Status> AddIndented(std::string_view text);
  Async<Status> AddLaidOut(std::span<const std::string_view> pieces);
  Async<Status> SendCompressed();
  Async<Status> AddCompressed(std::span<const std::string_view> pieces);
  Async<Status> Send(std::span<const std::string_view> pieces);
  Async<Status> WriteWindows(std::span<const std::string_view> pieces);
  void Compress();

  Exchange& exchange_;
  http::ResponseHead head_;
  std::unique_ptr<JsonIndenter> indenter_;  // Null: as it is.
  std::string indented_;
  bool undecided_ = false;  // Whether to compress: `held_` is the body so far.
  std::string held_;
  std::unique_ptr<http::GzipWriter> gzip_;  // Null: identity.
  std::string compressed_;                  // Not sent yet.
  uint64_t behind_compressed_ = 0;          // What it was made of.
  std::string first_;                       // What may yet be the whole answer.
};

}  // namespace weir
