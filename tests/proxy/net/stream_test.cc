#include "proxy/net/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/net/signal.h"
#include "tests/proxy/net/net_fixture.h"

namespace weir {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i * 7 % 23);
  return bytes;
}

// Both ends on one worker, so that a test is one story.
class StreamTest : public ::testing::Test {
 protected:
  StreamTest() { worker_.Start(); }
  ~StreamTest() override { worker_.Stop(); }

  static Async<void> ShakeServer(Stream* server, Signal* shaken, Status* result) {
    *result = co_await server->Handshake(true);
    shaken->Notify();
  }
  Async<void> ShakeHands(StreamPair& pair) {
    Signal shaken(worker_);
    Status server;
    worker_.Spawn(ShakeServer(pair.server.get(), &shaken, &server));
    const Status client = co_await pair.client->Handshake(false);
    EXPECT_TRUE(client.ok()) << client;
    co_await shaken.Wait();
    EXPECT_TRUE(server.ok()) << server;
  }

  TlsPair tls_;
  Worker worker_{0};
};

TEST_F(StreamTest, CarriesBytesBothWaysAndACleanEnd) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    EXPECT_EQ(NegotiatedProtocol(pair.client->ssl()), "http/1.1");
    EXPECT_EQ(pair.server->peer_address(), "127.0.0.1");
    EXPECT_TRUE(pair.client->Write("ping"));
    EXPECT_EQ((co_await ReadExactly(*pair.server, 4)).value(), "ping");
    EXPECT_TRUE(pair.server->Write("pong"));
    EXPECT_EQ((co_await ReadExactly(*pair.client, 4)).value(), "pong");
    pair.client->Close();
    EXPECT_TRUE(pair.client->closed());
    EXPECT_EQ((co_await ReadExactly(*pair.server, 1)).value(), "");
  });
}

TEST_F(StreamTest, AVisitOfUpToARecordIsOneRecordAndOneSend) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    for (const size_t size : {size_t{1}, size_t{1000}, size_t{16384}}) {
      const std::string bytes = Pattern(size);
      const std::string_view half = std::string_view(bytes).substr(0, size / 2);
      const std::string_view rest = std::string_view(bytes).substr(size / 2);
      const std::string_view pieces[] = {half, std::string_view(), rest};
      const NetCounters before = worker_.counters();
      EXPECT_TRUE(pair.client->Write(pieces));
      const NetCounters after = worker_.counters();
      EXPECT_EQ(after.records - before.records, 1u);
      EXPECT_EQ(after.sends - before.sends, 1u);
      EXPECT_EQ(after.bytes_copied - before.bytes_copied, size);
      EXPECT_EQ(after.bytes_sent - before.bytes_sent, size + 22) << "AES-GCM of TLS 1.3";
      EXPECT_EQ((co_await ReadExactly(*pair.server, size)).value(), bytes);
    }
  });
}

TEST_F(StreamTest, WholeRecordsAreSealedFromWhereTheyLie) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    for (const size_t size : {size_t{16385}, size_t{100'000}, size_t{262'144}}) {
      const std::string bytes = Pattern(size);
      const NetCounters before = worker_.counters();
      pair.client->Write(bytes);
      const NetCounters after = worker_.counters();
      pair.client->OnDrained([] {});  // Sends the tail meanwhile.
      EXPECT_EQ(after.records - before.records, (size + 16383) / 16384);
      EXPECT_EQ(after.bytes_copied - before.bytes_copied, size % 16384);
      EXPECT_LE(after.sends - before.sends, 2u);
      EXPECT_EQ((co_await ReadExactly(*pair.server, size)).value(), bytes);
    }
  });
}

TEST_F(StreamTest, SmallPiecesFillRecordsToTheBrim) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    const std::string bytes = Pattern(60'000);
    std::vector<std::string_view> pieces;
    for (size_t at = 0; at < bytes.size(); at += 700)
      pieces.push_back(std::string_view(bytes).substr(at, 700));
    const NetCounters before = worker_.counters();
    pair.client->Write(pieces);
    const NetCounters after = worker_.counters();
    pair.client->OnDrained([] {});
    EXPECT_EQ(after.records - before.records, 4u);
    EXPECT_EQ(after.bytes_copied - before.bytes_copied, bytes.size());
    EXPECT_EQ((co_await ReadExactly(*pair.server, bytes.size())).value(), bytes);
  });
}

Async<void> ReadAll(Stream* stream, size_t size, Signal* done, std::string* into) {
  *into = (co_await ReadExactly(*stream, size)).value();
  done->Notify();
}

TEST_F(StreamTest, WhatASlowReaderDoesNotTakeStaysAsTheTailUntilFlush) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_, true);
    co_await ShakeHands(pair);
    const std::string bytes = Pattern(256 * 1024);
    EXPECT_FALSE(pair.server->Write(bytes));
    EXPECT_GT(pair.server->unsent(), 0u);
    const size_t unsent = pair.server->unsent();
    EXPECT_FALSE(pair.server->Write("and more"));
    EXPECT_EQ(pair.server->unsent(), unsent + 8 + 22) << "in order, behind the tail";
    Signal done(worker_);
    std::string got;
    worker_.Spawn(ReadAll(pair.client.get(), bytes.size() + 8, &done, &got));
    const Status flushed = co_await pair.server->Flush(hours(1));
    EXPECT_TRUE(flushed.ok()) << flushed;
    EXPECT_EQ(pair.server->unsent(), 0u);
    co_await done.Wait();
    EXPECT_EQ(got, bytes + "and more");
  });
}

TEST_F(StreamTest, OnDrainedComesOnceWhenAllIsSent) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_, true);
    co_await ShakeHands(pair);
    const std::string bytes = Pattern(256 * 1024);
    EXPECT_FALSE(pair.server->Write(bytes));
    int calls = 0;
    Signal drained(worker_);
    pair.server->OnDrained([&] {
      ++calls;
      EXPECT_EQ(pair.server->unsent(), 0u);
      drained.Notify();
    });
    EXPECT_EQ(calls, 0) << "later, never inside the call";
    EXPECT_EQ((co_await ReadExactly(*pair.client, bytes.size())).value(), bytes);
    co_await drained.Wait();
    EXPECT_EQ(calls, 1);
  });
}

TEST_F(StreamTest, ADeadlineBreaksTheStreamForGood) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    pair.server->SetDeadline(worker_.Now() + milliseconds(1));
    char byte;
    EXPECT_TRUE(absl::IsDeadlineExceeded((co_await pair.server->Read(&byte, 1)).status()));
    EXPECT_TRUE(absl::IsDeadlineExceeded(pair.server->failure()));
    EXPECT_FALSE(pair.server->Write("too late"));
    EXPECT_TRUE(absl::IsDeadlineExceeded(co_await pair.server->Flush()));
    EXPECT_EQ(pair.server->unsent(), 0u);
  });
}

TEST_F(StreamTest, ADeadlineThatWasLiftedDoesNothing) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    pair.server->SetDeadline(worker_.Now());
    pair.server->SetDeadline(TimePoint::max());
    Signal pause(worker_);
    co_await pause.Wait(worker_.Now() + milliseconds(2));
    EXPECT_TRUE(pair.server->failure().ok());
  });
}

TEST_F(StreamTest, AFlushWithoutProgressEndsAndCallsTheDrainedBack) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_, true);
    co_await ShakeHands(pair);
    EXPECT_FALSE(pair.server->Write(Pattern(256 * 1024)));
    bool called = false;
    Signal told(worker_);
    pair.server->OnDrained([&] {
      called = true;
      told.Notify();
    });
    EXPECT_TRUE(absl::IsDeadlineExceeded(co_await pair.server->Flush(milliseconds(2))));
    co_await told.Wait();
    EXPECT_TRUE(called) << "the stream has failed";
  });
}

TEST_F(StreamTest, APeerThatIsCutOffIsAnErrorNotAnEnd) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    EXPECT_TRUE(pair.client->Write("half a"));
    pair.client->Cut();
    EXPECT_EQ((co_await ReadExactly(*pair.server, 6)).value(), "half a");
    char byte;
    EXPECT_TRUE(absl::IsUnavailable((co_await pair.server->Read(&byte, 1)).status()));
    EXPECT_TRUE(absl::IsUnavailable(pair.server->failure()));
    EXPECT_FALSE(pair.server->Write("anyone?"));
  });
}

TEST_F(StreamTest, WhatAPeerSaidBeforeItStoppedListeningCanBeRead) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    EXPECT_TRUE(pair.client->Write("a body that nobody reads"));
    EXPECT_TRUE(pair.server->Write("too large"));
    pair.server->Close();  // With bytes unread: the kernel resets the connection.
    while (pair.client->failure().ok()) {
      pair.client->Write("more");
      co_await pair.client->Flush();
    }
    EXPECT_TRUE(absl::IsUnavailable(pair.client->failure()));
    EXPECT_FALSE(pair.client->Write("more"));
    EXPECT_EQ((co_await ReadExactly(*pair.client, 100)).value(), "too large");
  });
}

TEST_F(StreamTest, FinishWritingEndsOneDirectionOnly) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    EXPECT_TRUE(pair.client->Write("question"));
    pair.client->FinishWriting();
    pair.client->FinishWriting();
    EXPECT_EQ((co_await ReadExactly(*pair.server, 100)).value(), "question");
    EXPECT_TRUE(pair.server->Write("answer"));
    EXPECT_EQ((co_await ReadExactly(*pair.client, 6)).value(), "answer");
    pair.server->Close();
    EXPECT_EQ((co_await ReadExactly(*pair.client, 1)).value(), "");
  });
}

TEST_F(StreamTest, FinishWritingLetsTheTailGoFirst) {
  RunOn(worker_, [&]() -> Async<void> {
    for (const TlsPair* tls : {&tls_, static_cast<TlsPair*>(nullptr)}) {
      StreamPair pair(worker_, worker_, tls, true);
      if (tls != nullptr) co_await ShakeHands(pair);
      const std::string bytes = Pattern(256 * 1024);
      EXPECT_FALSE(pair.server->Write(bytes));
      pair.server->FinishWriting();
      EXPECT_EQ((co_await ReadExactly(*pair.client, bytes.size() + 1)).value(), bytes);
      EXPECT_TRUE(pair.server->failure().ok());
    }
  });
}

TEST_F(StreamTest, CallbacksAreDroppedWithTheStream) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_, true);
    co_await ShakeHands(pair);
    EXPECT_FALSE(pair.server->Write(Pattern(256 * 1024)));
    auto held = std::make_shared<int>(0);
    pair.server->OnDrained([held] { ADD_FAILURE() << "drained"; });
    pair.server->OnReadable([held] { ADD_FAILURE() << "readable"; });
    // Bytes that are there already take the other way: a post.
    pair.client->Write("x");
    pair.client->OnReadable([held] { ADD_FAILURE() << "readable"; });
    pair.server.reset();
    pair.client.reset();
    Signal pause(worker_);
    while (held.use_count() > 1) co_await pause.Wait(worker_.Now() + milliseconds(1));
  });
}

TEST_F(StreamTest, AStreamMayBeDestroyedInsideItsCallbacks) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    Signal read(worker_), drained(worker_);
    pair.server->OnReadable([&] {
      pair.server.reset();
      read.Notify();
    });
    pair.client->Write("x");
    co_await read.Wait();
    EXPECT_EQ(pair.server, nullptr);
    pair.client->OnDrained([&] {
      pair.client.reset();
      drained.Notify();
    });
    co_await drained.Wait();
    EXPECT_EQ(pair.client, nullptr);
  });
}

TEST_F(StreamTest, CloseEndsTheReaderThatWaits) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    worker_.Post([&] { pair.server->Close(); });
    char byte;
    EXPECT_TRUE(absl::IsCancelled((co_await pair.server->Read(&byte, 1)).status()));
    EXPECT_FALSE(pair.server->Write("x"));
    pair.server->FinishWriting();
    pair.server->SetDeadline(worker_.Now());
    pair.server->Close();
  });
}

TEST_F(StreamTest, OnReadableSeesBytesThatTlsHasAlready) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    co_await ShakeHands(pair);
    pair.client->Write("abc");
    EXPECT_EQ((co_await ReadExactly(*pair.server, 1)).value(), "a");
    Signal readable(worker_);
    pair.server->OnReadable([&] { readable.Notify(); });
    EXPECT_TRUE(co_await readable.Wait());
    bool end = true;
    char bytes[8];
    EXPECT_EQ(pair.server->ReadNow(bytes, sizeof(bytes), end).value(), 2u);
    EXPECT_EQ(pair.server->ReadNow(bytes, sizeof(bytes), end).value(), 0u);
    EXPECT_EQ(pair.server->ReadNow(bytes, 0, end).value(), 0u);
    EXPECT_FALSE(end);
  });
}

TEST_F(StreamTest, PlainStreamsEndAndWriteAsTlsOnesDo) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, nullptr);
    EXPECT_TRUE(pair.client->Write("plain"));
    pair.client->FinishWriting();
    EXPECT_EQ((co_await ReadExactly(*pair.server, 10)).value(), "plain");
    EXPECT_TRUE(absl::IsUnavailable(co_await pair.server->Handshake(true)));
  });
}

TEST_F(StreamTest, AHandshakeWithSomethingElseFails) {
  RunOn(worker_, [&]() -> Async<void> {
    const SocketPair sockets = ConnectedSockets();
    Stream plain(worker_, sockets.client, nullptr);
    Stream server(worker_, sockets.server, tls_.NewServer());
    plain.Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const Status shaken = co_await server.Handshake(true);
    EXPECT_EQ(Message(shaken), "http request");
    EXPECT_TRUE(absl::IsUnavailable(shaken));
  });
}

TEST_F(StreamTest, AHandshakeThatStallsMeetsItsDeadline) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, &tls_);
    pair.server->SetDeadline(worker_.Now() + milliseconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(co_await pair.server->Handshake(true)));
  });
}

TEST(StreamThreadsTest, TwoWorkersExchangeMegabytes) {
  const TlsPair tls;
  Worker one(0), two(1);
  one.Start();
  two.Start();
  const SocketPair sockets = ConnectedSockets();
  const std::string bytes = Pattern(3 << 20);
  std::promise<void> received;
  struct Story {
    static Async<void> Receive(Worker* worker, int socket, SSL* ssl, const std::string* expected,
                               std::promise<void>* done) {
      Stream stream(*worker, socket, ssl);
      const Status shaken = co_await stream.Handshake(true);
      EXPECT_TRUE(shaken.ok());
      EXPECT_EQ((co_await ReadExactly(stream, expected->size())).value(), *expected);
      stream.Write("thanks");
      EXPECT_TRUE((co_await stream.Flush()).ok());
      done->set_value();
    }
  };
  two.Post(
      [&] { two.Spawn(Story::Receive(&two, sockets.server, tls.NewServer(), &bytes, &received)); });
  RunOn(one, [&]() -> Async<void> {
    Stream stream(one, sockets.client, tls.NewClient());
    EXPECT_TRUE((co_await stream.Handshake(false)).ok());
    for (size_t at = 0; at < bytes.size(); at += 256 * 1024) {
      if (!stream.Write(std::string_view(bytes).substr(at, 256 * 1024))) {
        const Status flushed = co_await stream.Flush(hours(1));
        EXPECT_TRUE(flushed.ok());
      }
    }
    EXPECT_EQ((co_await ReadExactly(stream, 6)).value(), "thanks");
  });
  received.get_future().wait();
  one.Stop();
  two.Stop();
}

}  // namespace
}  // namespace weir
