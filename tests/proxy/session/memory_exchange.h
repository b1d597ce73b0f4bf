// An Exchange without a connection: a request that is all there, and an answer that is kept.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/net/signal.h"
#include "proxy/session/exchange.h"

namespace weir {

class MemoryExchange final : public Exchange {
 public:
  MemoryExchange(Worker& worker, http::RequestHead request)
      : changed(worker),
        worker_(worker),
        request_(std::move(request)),
        drained_(worker),
        over_(worker) {}

  const http::RequestHead& request() const override { return request_; }
  void RecheckCertificate() override { ++rechecks; }
  const CertificateVerdict& certificate() const override { return verdict; }
  const std::string& peer_address() const override { return address_; }
  Worker& worker() const override { return worker_; }
  bool http2() const override { return over_http2; }

  Async<StatusOr<std::string_view>> ReadBody() override {
    if (pieces.empty()) co_return std::string_view();
    piece_ = std::move(pieces.front());
    pieces.pop_front();
    co_return piece_;
  }
  const http::HeaderList& request_trailers() const override { return trailers_; }
  void StopReading() override { stopped_reading = true; }

  void CloseAfterwards() override { last = true; }

  Async<Status> Inform(http::ResponseHead h) override {
    informed.push_back(h.status);
    co_return OkStatus();
  }
  Status Start(http::ResponseHead h) override {
    EXPECT_FALSE(head.has_value()) << "one answer each";
    head = std::move(h);
    return aborted ? Cancelled("cut") : OkStatus();
  }
  bool Write(std::span<const std::string_view> bytes, size_t size) override {
    EXPECT_TRUE(head.has_value());
    EXPECT_FALSE(finished);
    EXPECT_TRUE(!blocked || aborted) << "written to while it takes no more";
    size_t sum = 0;
    for (const std::string_view piece : bytes) {
      body += piece;
      sum += piece.size();
    }
    EXPECT_EQ(sum, size);
    writes.push_back(size);
    blocked = block_writes;
    changed.Notify();
    return !blocked && !aborted;
  }
  size_t Room() const override {
    if (fails) throw std::runtime_error("no room to be found");
    return SIZE_MAX;
  }
  Async<Status> Drain() override {
    while (blocked && !aborted) co_await drained_.Wait();
    co_return aborted ? Cancelled("cut") : OkStatus();
  }
  Async<Status> Finish(const http::HeaderList&) override {
    finished = true;
    changed.Notify();
    co_return OkStatus();
  }
  Stream* SwitchProtocols(http::ResponseHead, std::string&) override { return nullptr; }
  void Abort() override { aborted = true; }
  bool started() const override { return head.has_value(); }
  int status() const override { return head.has_value() ? head->status : 0; }
  void OnWritable(absl::AnyInvocable<void()> done) override { on_writable_ = std::move(done); }
  void OnGone(absl::AnyInvocable<void()> done) override { on_gone_ = std::move(done); }

  std::shared_ptr<Exchange> GoOn() override {
    ongoing = true;
    request_ = {};
    return {std::shared_ptr<void>(), this};
  }
  void EndOngoing() override {
    ongoing = false;
    on_writable_ = nullptr;
    on_gone_ = nullptr;
    over_.Notify();
  }
  std::shared_ptr<const http::HeaderList> KeepCredentials() override {
    return std::make_shared<const http::HeaderList>(request_.headers);
  }
  // Until what goes on without its handler has ended.
  Async<void> UntilOver() {
    while (ongoing) co_await over_.Wait();
  }

  // The client takes bytes again; leaves.
  void Unblock(bool for_good = true) {
    if (for_good) block_writes = false;
    blocked = false;
    drained_.Notify();
    if (on_writable_) std::exchange(on_writable_, nullptr)();
  }
  void Leave() {
    if (on_gone_) std::exchange(on_gone_, nullptr)();
  }

  std::deque<std::string> pieces;  // Of the request's body.
  bool over_http2 = false;
  CertificateVerdict verdict;  // Of the client's certificate.
  bool block_writes = false;   // Each write fills the socket.
  bool blocked = false;
  bool fails = false;  // Whoever asks for room.
  std::vector<int> informed;
  size_t rechecks = 0;  // Of the certificate.
  std::optional<http::ResponseHead> head;
  std::string body;
  std::vector<size_t> writes;
  bool ongoing = false, finished = false, aborted = false, stopped_reading = false, last = false;
  Signal changed;

 private:
  Worker& worker_;
  http::RequestHead request_;
  const std::string address_ = "192.0.2.7";
  const http::HeaderList trailers_;
  std::string piece_;
  Signal drained_;
  Signal over_;
  absl::AnyInvocable<void()> on_writable_, on_gone_;
};

}  // namespace weir
