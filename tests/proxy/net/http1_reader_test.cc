#include "proxy/net/http1_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/net/signal.h"
#include "tests/proxy/net/net_fixture.h"

namespace weir {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using Kind = http::BodyFraming::Kind;

constexpr std::string_view kHead = "POST /x HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kChunked = "5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-T: 1\r\n\r\n";

// Plain TCP: framing is the same under TLS. The peer is a Stream too.
class Http1ReaderTest : public ::testing::Test {
 protected:
  Http1ReaderTest() { worker_.Start(); }
  ~Http1ReaderTest() override { worker_.Stop(); }

  // Writes `bytes` in two pieces, the second once the reader has seen the first and waits.
  static Async<void> WriteInTwo(Worker* worker, Stream* peer, std::string_view bytes, size_t cut) {
    peer->Write(bytes.substr(0, cut));
    Signal turn(*worker);
    co_await turn.Wait(worker->Now() + std::chrono::microseconds(200));
    peer->Write(bytes.substr(cut));
  }
  static Async<StatusOr<std::string>> WholeBody(Http1Reader& reader) {
    std::string body;
    for (;;) {
      const StatusOr<std::string_view> piece = co_await reader.ReadBody();
      if (!piece.ok()) co_return piece.status();
      if (piece->empty()) co_return body;
      body += *piece;
    }
  }
  // Until the reader has taken `bytes` off the wire.
  Async<void> Arrive(Http1Reader& reader, size_t bytes) {
    Signal turn(worker_);
    while (reader.buffered() < bytes) {
      EXPECT_TRUE(reader.Poll(bytes));
      co_await turn.Wait(worker_.Now() + std::chrono::microseconds(50));
    }
  }

  Worker worker_{0};
};

TEST_F(Http1ReaderTest, MessagesMayBeCutAtEveryByte) {
  RunOn(worker_, [&]() -> Async<void> {
    const std::string message =
        std::string(kHead) + std::string(kChunked) + "GET / HTTP/1.1\r\nHost: a\r\n\r\nabcdef";
    for (size_t cut = 0; cut <= message.size(); ++cut) {
      StreamPair pair(worker_, worker_, nullptr);
      Http1Reader reader(*pair.server);
      worker_.Spawn(WriteInTwo(&worker_, pair.client.get(), message, cut));
      EXPECT_EQ((co_await reader.ReadHead(1000, hours(1))).value(), kHead) << cut;
      reader.BeginBody({Kind::kChunked, 0});
      EXPECT_EQ((co_await WholeBody(reader)).value(), "hello world") << cut;
      EXPECT_TRUE(reader.body_done());
      EXPECT_EQ(*reader.trailers().First("x-t"), "1");
      EXPECT_EQ((co_await reader.ReadHead(1000, hours(1))).value(),
                "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      reader.BeginBody({Kind::kLength, 6});
      EXPECT_EQ((co_await WholeBody(reader)).value(), "abcdef") << cut;
      EXPECT_EQ(reader.buffered(), 0u);
      // The coroutine that writes may still be about to look at its stream.
      Signal turn(worker_);
      co_await turn.Wait(worker_.Now() + milliseconds(1));
    }
  });
}

TEST_F(Http1ReaderTest, PipelinedRequestsComeOneAfterTheOther) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, nullptr);
    Http1Reader reader(*pair.server);
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
      bytes += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    }
    pair.client->Write(bytes);
    pair.client->FinishWriting();
    for (int i = 0; i < 300; ++i) {
      const auto head = (co_await reader.ReadHead(1000, hours(1))).value();
      EXPECT_EQ(head, "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n");
      reader.BeginBody({});
      EXPECT_TRUE(reader.body_done());
    }
    EXPECT_EQ((co_await reader.ReadHead(1000, hours(1))).value(), "") << "a clean end";
  });
}

TEST_F(Http1ReaderTest, AHeadThatIsTooLongIsRefusedCompleteOrNot) {
  RunOn(worker_, [&]() -> Async<void> {
    for (const bool complete : {true, false}) {
      StreamPair pair(worker_, worker_, nullptr);
      Http1Reader reader(*pair.server);
      pair.client->Write("GET / HTTP/1.1\r\nHost: " + std::string(100, 'a') +
                         (complete ? "\r\n\r\n" : ""));
      EXPECT_TRUE(absl::IsResourceExhausted((co_await reader.ReadHead(100, hours(1))).status()));
    }
  });
}

TEST_F(Http1ReaderTest, APeerThatLeavesInsideAMessageIsAnError) {
  RunOn(worker_, [&]() -> Async<void> {
    for (const std::string_view bytes : {"GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n\r\n3\r\nab"}) {
      StreamPair pair(worker_, worker_, nullptr);
      Http1Reader reader(*pair.server);
      pair.client->Write(bytes);
      pair.client->FinishWriting();
      const auto head = co_await reader.ReadHead(1000, hours(1));
      if (!head.ok()) {
        EXPECT_TRUE(absl::IsUnavailable(head.status()));
        continue;
      }
      reader.BeginBody({Kind::kChunked, 0});
      EXPECT_TRUE(absl::IsUnavailable((co_await WholeBody(reader)).status()));
      reader.BeginBody({Kind::kLength, 5});
      EXPECT_TRUE(absl::IsUnavailable((co_await WholeBody(reader)).status()));
    }
  });
}

TEST_F(Http1ReaderTest, ABodyUntilCloseEndsWithTheStream) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, nullptr);
    Http1Reader reader(*pair.server);
    pair.client->Write("HTTP/1.0 200 OK\r\n\r\nall of it");
    pair.client->FinishWriting();
    EXPECT_TRUE((co_await reader.ReadHead(1000, hours(1))).ok());
    reader.BeginBody({Kind::kUntilClose, 0});
    EXPECT_EQ((co_await WholeBody(reader)).value(), "all of it");
    EXPECT_TRUE(reader.body_done());
  });
}

TEST_F(Http1ReaderTest, BadChunksAreInvalid) {
  RunOn(worker_, [&]() -> Async<void> {
    for (const std::string_view bytes : {"0x5\r\nhello\r\n", "5\nhello\r\n", "5\r\nhelloX\r\n"}) {
      StreamPair pair(worker_, worker_, nullptr);
      Http1Reader reader(*pair.server);
      reader.BeginBody({Kind::kChunked, 0});
      pair.client->Write(bytes);
      EXPECT_TRUE(absl::IsInvalidArgument((co_await WholeBody(reader)).status())) << bytes;
      EXPECT_TRUE(absl::IsInvalidArgument((co_await reader.ReadBody()).status())) << "and stay so";
    }
  });
}

TEST_F(Http1ReaderTest, ReadBodyNowTakesOnlyWhatIsThere) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, nullptr);
    Http1Reader reader(*pair.server);
    reader.BeginBody({Kind::kChunked, 0});
    EXPECT_EQ(reader.ReadBodyNow().value(), "");
    EXPECT_FALSE(reader.body_done());
    constexpr std::string_view kPart = "5\r\nhello\r\n3\r\nab";
    pair.client->Write(kPart);
    co_await Arrive(reader, kPart.size());
    EXPECT_EQ(reader.ReadBodyNow().value(), "hello");
    EXPECT_EQ(reader.ReadBodyNow().value(), "ab");
    EXPECT_EQ(reader.ReadBodyNow().value(), "");
    EXPECT_FALSE(reader.body_done());
    pair.client->Write("c\r\n0\r\n\r\n");
    EXPECT_EQ((co_await reader.ReadBody()).value(), "c");
    EXPECT_EQ((co_await reader.ReadBody()).value(), "");
    EXPECT_TRUE(reader.body_done());
    EXPECT_EQ((co_await reader.ReadBody()).value(), "");
  });
}

TEST_F(Http1ReaderTest, PollKeepsNoMoreThanItIsTold) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, nullptr);
    Http1Reader reader(*pair.server);
    pair.client->Write(std::string(50'000, 'x'));
    pair.client->OnDrained([] {});
    co_await Arrive(reader, 20'000);
    EXPECT_EQ(reader.buffered(), 20'000u);
    EXPECT_TRUE(reader.Poll(20'000));
    EXPECT_EQ(reader.buffered(), 20'000u);
    reader.BeginBody({Kind::kLength, 50'000});
    EXPECT_EQ((co_await WholeBody(reader)).value(), std::string(50'000, 'x'));
  });
}

TEST_F(Http1ReaderTest, PollSeesThatThePeerIsGone) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, nullptr);
    Http1Reader reader(*pair.server);
    EXPECT_TRUE(reader.Poll(10));
    pair.client.reset();
    co_await pair.server->WaitReadable();
    EXPECT_FALSE(reader.Poll(10));
  });
}

TEST_F(Http1ReaderTest, AHeadThatWasReadIsNoUnreadByte) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, nullptr);
    Http1Reader reader(*pair.server);
    pair.client->Write("HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_TRUE((co_await reader.ReadHead(1000, hours(1))).ok());
    reader.BeginBody({});
    EXPECT_EQ(reader.buffered(), 0u) << "else the connection would look as if more had come";
    EXPECT_TRUE(reader.Poll(1));
    EXPECT_EQ(reader.buffered(), 0u);
  });
}

TEST_F(Http1ReaderTest, ASlowHeadMeetsTheHeadsTimeout) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, nullptr);
    Http1Reader reader(*pair.server);
    pair.client->Write("GET /");
    EXPECT_TRUE(
        absl::IsDeadlineExceeded((co_await reader.ReadHead(1000, milliseconds(1))).status()));
  });
}

TEST_F(Http1ReaderTest, AFastPeerDoesNotHoldTheWorker) {
  RunOn(worker_, [&]() -> Async<void> {
    StreamPair pair(worker_, worker_, nullptr);
    Http1Reader reader(*pair.server);
    pair.client->Write(std::string(1 << 20, 'x'));
    pair.client->OnDrained([] {});
    bool others = false;
    worker_.Post([&] { others = true; });
    reader.BeginBody({Kind::kLength, 1 << 20});
    size_t got = 0;
    // As much as is there without waiting; the post comes after 16 reads at the latest.
    while (got < 300 * 1024) {
      const auto piece = co_await reader.ReadBody();
      got += piece.value().size();
    }
    EXPECT_TRUE(others);
  });
}

}  // namespace
}  // namespace weir
