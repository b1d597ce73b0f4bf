#include "proxy/net/tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "proxy/net/signal.h"
#include "tests/proxy/net/net_fixture.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

size_t from_a, from_b;

// client ── a ═ tunnel ═ b ── server, all on one worker, so that a test is one story.
class TunnelTest : public ::testing::Test {
 protected:
  TunnelTest() {
    from_a = from_b = 0;
    options_.from_a = [](size_t bytes) { from_a += bytes; };
    options_.from_b = [](size_t bytes) { from_b += bytes; };
    worker_.Start();
  }
  ~TunnelTest() override {
    if (left_.has_value()) {
      RunOn(worker_, [&]() -> Async<void> {
        client().Cut();
        server().Cut();
        co_await Over();
        left_.reset();
        right_.reset();
        over_.reset();
      });
    }
    worker_.Discard();
  }

  static Async<void> ShakeServer(Stream* server, Signal* shaken) {
    const Status status = co_await server->Handshake(true);
    EXPECT_TRUE(status.ok()) << status;
    shaken->Notify();
  }
  Async<void> Connect(StreamPair& pair) {
    if (pair.server->ssl() == nullptr) co_return;
    Signal shaken(worker_);
    worker_.Spawn(ShakeServer(pair.server.get(), &shaken));
    const Status client = co_await pair.client->Handshake(false);
    EXPECT_TRUE(client.ok()) << client;
    co_await shaken.Wait();
  }
  static Async<void> Run(TunnelTest* self) {
    const TunnelEnd end = co_await RunTunnel(self->a(), self->b(), self->options_);
    self->end_ = end;
    self->over_->Notify();
  }
  Async<void> Open(bool tls = true, bool small = false) {
    left_.emplace(worker_, worker_, tls ? &tls_ : nullptr, small);
    right_.emplace(worker_, worker_, tls ? &tls_ : nullptr, small);
    co_await Connect(*left_);
    co_await Connect(*right_);
    over_ = std::make_unique<Signal>(worker_);
    end_.reset();
    worker_.Spawn(Run(this));
  }
  Async<TunnelEnd> Over() {
    while (!end_.has_value()) co_await over_->Wait();
    co_return *end_;
  }
  static Async<void> Own(std::unique_ptr<Stream> a, std::unique_ptr<Stream> b) {
    TunnelOptions options;
    co_await RunTunnel(*a, *b, options);
  }
  static Async<void> Sleep(Worker& worker, Duration duration) {
    Signal signal(worker);
    co_await signal.Wait(worker.Now() + duration);
  }
  // Writes until the stream takes no more at once, and lets the rest follow; how much that was.
  static size_t Fill(Stream& stream) {
    const std::string piece(64 * 1024, 'x');
    size_t sum = piece.size();
    while (stream.Write(piece)) sum += piece.size();
    stream.OnDrained([] {});
    return sum;
  }

  Stream& client() { return *left_->client; }
  Stream& a() { return *left_->server; }
  Stream& b() { return *right_->client; }
  Stream& server() { return *right_->server; }

  TlsPair tls_;
  Worker worker_{0};
  std::optional<StreamPair> left_, right_;
  TunnelOptions options_;
  std::unique_ptr<Signal> over_;
  std::optional<TunnelEnd> end_;
};

TEST_F(TunnelTest, CarriesBytesBothWaysAndCountsThem) {
  RunOn(worker_, [&]() -> Async<void> {
    for (const bool tls : {true, false}) {
      co_await Open(tls);
      client().Write("ls\n");
      EXPECT_EQ((co_await ReadExactly(server(), 3)).value(), "ls\n");
      server().Write("file\n");
      EXPECT_EQ((co_await ReadExactly(client(), 5)).value(), "file\n");
      client().Close();
      EXPECT_EQ((co_await ReadExactly(server(), 1)).value(), "");
      server().Close();
      EXPECT_EQ(co_await Over(), TunnelEnd::kClosed);
      EXPECT_TRUE(a().closed());
      EXPECT_TRUE(b().closed());
    }
    EXPECT_EQ(from_a, 6u);
    EXPECT_EQ(from_b, 10u);
  });
}

TEST_F(TunnelTest, WhatWasWrittenBeforeGoesFirst) {
  RunOn(worker_, [&]() -> Async<void> {
    co_await Open();
    b().Write("optimistic ");
    client().Write("bytes");
    EXPECT_EQ((co_await ReadExactly(server(), 16)).value(), "optimistic bytes");
  });
}

TEST_F(TunnelTest, ASideIsReadOnlyWhileTheOtherTakesIt) {
  RunOn(worker_, [&]() -> Async<void> {
    co_await Open(true, /*small=*/true);
    size_t sent = 0;
    // The server reads nothing: soon the client cannot send more, and the tunnel holds little.
    size_t quiet = 0;
    for (size_t before = 0; quiet < 10; before = from_a) {
      if (client().unsent() == 0) sent += Fill(client());
      co_await Sleep(worker_, milliseconds(20));
      EXPECT_LE(b().unsent(), 34u * 1024);
      quiet = from_a == before && client().unsent() > 0 ? quiet + 1 : 0;
    }
    EXPECT_LT(from_a, 1024u * 1024);
    // The other way is open meanwhile.
    server().Write("still there");
    EXPECT_EQ((co_await ReadExactly(client(), 11)).value(), "still there");
    const std::string all = (co_await ReadExactly(server(), sent)).value();
    EXPECT_EQ(all, std::string(sent, 'x'));
    EXPECT_EQ(from_a, sent);
  });
}

TEST_F(TunnelTest, AHalfCloseGoesThroughAndTheOtherWayGoesOn) {
  RunOn(worker_, [&]() -> Async<void> {
    for (const bool from_client : {true, false}) {
      co_await Open();
      Stream& first = from_client ? client() : server();
      Stream& last = from_client ? server() : client();
      first.Write("that is all");
      first.FinishWriting();
      EXPECT_EQ((co_await ReadExactly(last, 100)).value(), "that is all");
      for (int i = 0; i < 3; ++i) {
        last.Write("not here");
        EXPECT_EQ((co_await ReadExactly(first, 8)).value(), "not here");
      }
      last.Close();
      EXPECT_EQ((co_await ReadExactly(first, 1)).value(), "");
      EXPECT_EQ(co_await Over(), TunnelEnd::kClosed);
    }
  });
}

TEST_F(TunnelTest, ASideThatBreaksOffBreaksTheOther) {
  RunOn(worker_, [&]() -> Async<void> {
    for (const bool client_breaks : {true, false}) {
      co_await Open();
      Stream& breaks = client_breaks ? client() : server();
      Stream& sees = client_breaks ? server() : client();
      breaks.Write("half a fra");
      breaks.Cut();
      EXPECT_EQ((co_await ReadExactly(sees, 10)).value(), "half a fra");
      EXPECT_FALSE((co_await ReadExactly(sees, 1)).ok()) << "no clean end";
      EXPECT_EQ(co_await Over(), TunnelEnd::kBroken);
    }
  });
}

TEST_F(TunnelTest, LastWordsArriveThoughNobodyListensAnyMore) {
  RunOn(worker_, [&]() -> Async<void> {
    // As a command that ends without having read its input.
    co_await Open();
    Fill(client());
    server().Write(std::string(20'000, 'o') + "exit 3");
    server().Close();
    const std::string said = (co_await ReadExactly(client(), 200'000)).value();
    EXPECT_EQ(said.size(), 20'006u);
    EXPECT_THAT(said, ::testing::EndsWith("exit 3"));
    client().Write("more");
    client().Close();
    EXPECT_EQ(co_await Over(), TunnelEnd::kClosed);
  });
}

TEST_F(TunnelTest, AClientThatKeepsItsEndOpenIsLeftSoon) {
  RunOn(worker_, [&]() -> Async<void> {
    co_await Open();
    client().Write("unread");
    server().Write("bye");
    server().Close();
    EXPECT_EQ((co_await ReadExactly(client(), 4)).value(), "bye");
    const TimePoint began = worker_.Now();
    // What it still sends finds nobody.
    while (!end_.has_value()) {
      client().Write("more");
      co_await Sleep(worker_, milliseconds(20));
    }
    EXPECT_LT(worker_.Now() - began, seconds(10));
    EXPECT_TRUE(a().closed());
  });
}

TEST_F(TunnelTest, ATunnelThatIsSilentForTooLongIsClosed) {
  RunOn(worker_, [&]() -> Async<void> {
    options_.idle_timeout = milliseconds(200);
    co_await Open();
    const TimePoint began = worker_.Now();
    for (int i = 0; i < 6; ++i) {
      co_await Sleep(worker_, milliseconds(50));
      Stream& from = i % 2 == 0 ? client() : server();
      Stream& to = i % 2 == 0 ? server() : client();
      from.Write("x");
      EXPECT_EQ((co_await ReadExactly(to, 1)).value(), "x") << "bytes of either side count";
    }
    EXPECT_EQ(co_await Over(), TunnelEnd::kIdle);
    EXPECT_GE(worker_.Now() - began, milliseconds(500));
    EXPECT_EQ((co_await ReadExactly(client(), 1)).value(), "");
    EXPECT_EQ((co_await ReadExactly(server(), 1)).value(), "");
  });
}

TEST_F(TunnelTest, ABlockedTunnelIsIdleToo) {
  RunOn(worker_, [&]() -> Async<void> {
    options_.idle_timeout = milliseconds(100);
    co_await Open(true, /*small=*/true);
    Fill(client());
    EXPECT_EQ(co_await Over(), TunnelEnd::kIdle);
  });
}

TEST_F(TunnelTest, ClosedFromElsewhereItEnds) {
  RunOn(worker_, [&]() -> Async<void> {
    co_await Open();
    a().Close();
    EXPECT_EQ(co_await Over(), TunnelEnd::kBroken);
    EXPECT_FALSE((co_await ReadExactly(server(), 1)).ok());
  });
}

TEST_F(TunnelTest, ItMayBeDestroyedWhileItRuns) {
  // As a process that stops: the coroutine that owns both connections dies with its worker.
  Worker worker(1);
  StreamPair outer(worker_, worker, nullptr), inner(worker, worker_, nullptr);
  worker.Start();
  CallOn(worker, [&] { worker.Spawn(Own(std::move(outer.server), std::move(inner.client))); });
  RunOn(worker_, [&]() -> Async<void> {
    outer.client->Write("x");
    EXPECT_EQ((co_await ReadExactly(*inner.server, 1)).value(), "x");
  });
  worker.Discard();
  RunOn(worker_, [&]() -> Async<void> {
    EXPECT_EQ((co_await ReadExactly(*inner.server, 1)).value(), "");
    outer.client.reset();
    inner.server.reset();
  });
}

}  // namespace
}  // namespace weir
