#include "proxy/session/body_writer.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "protocol/k8s/accept.h"

namespace weir {
namespace {

// Written at once even where nothing of it is taken: then the client is waited for.
constexpr size_t kLeastBytes = size_t{16} << 10;
// Ready blocks are sent once they are so many bytes, or, since they may have been made just now,
// once that was about a millisecond's work.
constexpr size_t kBlocksBytes = size_t{64} << 10;
constexpr uint64_t kMostBehindBlocks = uint64_t{2} << 20;

size_t SizeOf(std::span<const std::string_view> pieces) {
  size_t bytes = 0;
  for (const std::string_view piece : pieces) bytes += piece.size();
  return bytes;
}

}  // namespace

BodyWriter::BodyWriter(Exchange& exchange, http::ResponseHead head, Options options)
    : exchange_(exchange), head_(std::move(head)) {
  if (options.pretty) indenter_ = std::make_unique<JsonIndenter>();
  if (!options.gzip) return;
  if (options.pretty || options.known_bytes == 0) {
    undecided_ = true;
  } else if (options.known_bytes > kGzipThreshold) {
    Compress();
  }
}

BodyWriter::~BodyWriter() = default;

void BodyWriter::Compress() {
  gzip_ = std::make_unique<http::GzipWriter>();
  head_.headers.Add("Content-Encoding", "gzip");
  head_.headers.Add("Vary", "Accept-Encoding");
}

Async<Status> BodyWriter::Add(std::span<const std::string_view> pieces) {
  if (indenter_ == nullptr) co_return co_await AddLaidOut(pieces);
  for (const std::string_view piece : pieces) WEIR_CO_TRY(co_await AddIndented(piece));
  co_return OkStatus();
}

Async<Status> BodyWriter::AddIndented(std::string_view text) {
  while (!text.empty()) {
    text.remove_prefix(indenter_->Feed(text, kWindowBytes, indented_));
    if (indented_.size() < kWindowBytes / 2) continue;
    const std::string_view piece = indented_;
    const std::span<const std::string_view> one(&piece, 1);
    WEIR_CO_TRY(co_await AddLaidOut(one));
    indented_.clear();
  }
  co_return OkStatus();
}

Async<Status> BodyWriter::AddLaidOut(std::span<const std::string_view> pieces) {
  if (!undecided_) co_return co_await AddCompressed(pieces);
  for (const std::string_view piece : pieces) held_.append(piece);
  if (held_.size() <= kGzipThreshold) co_return OkStatus();
  undecided_ = false;
  Compress();
  const std::string held = std::exchange(held_, {});
  const std::string_view piece = held;
  const std::span<const std::string_view> one(&piece, 1);
  co_return co_await AddCompressed(one);
}

Async<Status> BodyWriter::AddCompressed(std::span<const std::string_view> pieces) {
  if (gzip_ == nullptr) co_return co_await Send(pieces);
  gzip_->Add(pieces, compressed_);
  co_return co_await SendCompressed();
}

Async<Status> BodyWriter::AddBlocks(const http::DeflatedBlocks& blocks) {
  gzip_->Add(blocks, compressed_);
  behind_compressed_ += blocks.length;
  const bool enough = compressed_.size() >= kBlocksBytes || behind_compressed_ >= kMostBehindBlocks;
  if (!enough) co_return OkStatus();
  co_return co_await SendCompressed();
}

Async<Status> BodyWriter::SendCompressed() {
  const std::string_view piece = compressed_;
  const std::span<const std::string_view> one(&piece, 1);
  const Status sent = co_await Send(one);
  compressed_.clear();
  behind_compressed_ = 0;
  co_return sent;
}

Async<Status> BodyWriter::Send(std::span<const std::string_view> pieces) {
  if (exchange_.started()) co_return co_await WriteWindows(pieces);
  if (first_.size() + SizeOf(pieces) <= exchange_.BufferedBytes()) {
    for (const std::string_view piece : pieces) first_.append(piece);
    co_return OkStatus();
  }
  head_.body.kind = http::BodyFraming::Kind::kChunked;
  http::ResponseHead head = std::move(head_);
  WEIR_CO_TRY(exchange_.Start(std::move(head)));
  if (first_.empty()) co_return co_await WriteWindows(pieces);
  std::vector<std::string_view> all;
  all.emplace_back(first_);
  all.insert(all.end(), pieces.begin(), pieces.end());
  co_return co_await WriteWindows(all);
}

Async<Status> BodyWriter::WriteWindows(std::span<const std::string_view> pieces) {
  std::vector<std::string_view> window;
  size_t next = 0;
  std::string_view rest = pieces.empty() ? std::string_view() : pieces[0];
  while (next < pieces.size()) {
    window.clear();
    size_t bytes = 0;
    // What the client does not take now would be copied, and these bytes are here to stay.
    const size_t room = std::clamp(exchange_.Room(), kLeastBytes, kWindowBytes);
    while (next < pieces.size() && bytes < room) {
      const std::string_view part = rest.substr(0, room - bytes);
      window.push_back(part);
      bytes += part.size();
      rest.remove_prefix(part.size());
      if (!rest.empty()) continue;
      if (++next < pieces.size()) rest = pieces[next];
    }
    if (exchange_.Write(window, bytes)) {
      // Others on this worker have their turn between two windows.
      co_await net::post(exchange_.worker().io(), net::use_awaitable_t<IoExecutor>());
    } else {
      WEIR_CO_TRY(co_await exchange_.Drain());
    }
  }
  co_return OkStatus();
}

Async<Status> BodyWriter::Finish() {
  if (!indented_.empty()) {
    const std::string_view piece = indented_;
    const std::span<const std::string_view> one(&piece, 1);
    WEIR_CO_TRY(co_await AddLaidOut(one));
  }
  if (std::exchange(undecided_, false)) {
    const std::string_view piece = held_;
    const std::span<const std::string_view> one(&piece, 1);
    WEIR_CO_TRY(co_await AddCompressed(one));
  }
  if (gzip_ != nullptr) {
    gzip_->Finish(compressed_);
    WEIR_CO_TRY(co_await SendCompressed());
  }
  if (!exchange_.started()) {
    head_.body = {http::BodyFraming::Kind::kLength, first_.size()};
    http::ResponseHead head = std::move(head_);
    WEIR_CO_TRY(exchange_.Start(std::move(head)));
    const std::string_view piece = first_;
    exchange_.Write(std::span(&piece, 1), piece.size());
  }
  const http::HeaderList no_trailers;
  co_return co_await exchange_.Finish(no_trailers);
}

}  // namespace weir
