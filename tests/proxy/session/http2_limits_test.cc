// Time-outs of HTTP/2 connections, what makes them end, and what a stream costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/admin/metrics.h"
#include "proxy/session/http2_session.h"
#include "tests/proxy/session/http2_fixture.h"

namespace weir {
namespace {

using Reply = ScriptedServer::Reply;
using namespace std::chrono_literals;
using Http2LimitsTest = Http2Test;

constexpr const char* kPodA = "/api/v1/namespaces/default/pods/a?resourceVersion=0";
constexpr const char* kWatch = "/api/v1/pods?watch=1&resourceVersion=0";

TEST_F(Http2LimitsTest, AFieldBlockThatNeverEndsClosesTheConnection) {
  config_.read_header_timeout = 50ms;
  ConnectHttp2();
  const std::string block = coder_->Encode(Request("GET", kPodA));
  SendFrame(NGHTTP2_HEADERS, kEndStream, 1, block.substr(0, 10));
  EXPECT_EQ(ReadToGoAway(), -1);
  Hang();
  // Nor does one whose first frame never does.
  ConnectHttp2();
  SendBytes(FrameBytes(NGHTTP2_HEADERS, kEndStream, 1, block).substr(0, 12));
  EXPECT_EQ(ReadToGoAway(), -1);
  Hang();
  // One that came in time is served for as long as it takes.
  api_server_.OnRequest([](const ScriptedServer::Request&) { return Reply(""); });
  ConnectHttp2();
  SendGet(1, "/x");
  WaitUntil([&] { return api_server_.requests().size() == 1; });
  std::this_thread::sleep_for(150ms);
  api_server_.Send(0, Answer200("late"));
  EXPECT_EQ(ReadAnswer(1).body, "late");
}

TEST_F(Http2LimitsTest, AStreamWhoseWindowStaysClosedIsResetAndTheOthersGoOn) {
  config_.write_stall_timeout = 100ms;
  const std::string body(100'000, 'x');
  api_server_.OnRequest([&](const ScriptedServer::Request&) { return Answer200(body); });
  ConnectHttp2(Setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1000));
  SendGet(1, "/x");
  EXPECT_EQ(ReadAnswer(1).reset, NGHTTP2_INTERNAL_ERROR);
  EXPECT_EQ(answers_[1].body.size(), 1000u);
  SendGet(3, kPodA);
  EXPECT_EQ(ReadAnswer(3)[":status"], "200");
  ExpectAllOver();
}

TEST_F(Http2LimitsTest, AClientThatReadsNothingIsCut) {
  config_.write_stall_timeout = 100ms;
  const std::string body(32 << 20, 'x');
  api_server_.OnRequest([&](const ScriptedServer::Request&) { return Answer200(body); });
  ConnectHttp2(Setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff));
  SendWindow(0, 0x7fff0000);
  SendGet(1, "/x");
  SendGet(3, kWatch);
  WaitUntil([this] { return shared_.connections.load() == 0; });
  ExpectAllOver();
  EXPECT_EQ(ProcessMetrics().http2_streams.value(), 0);
  Hang();
}

TEST_F(Http2LimitsTest, NowAndThenAClientIsAskedToComeBackElsewhere) {
  config_.goaway_chance = 1;
  ConnectHttp2();
  SendGet(1, kPodA);
  EXPECT_EQ(ReadAnswer(1)[":status"], "200");
  EXPECT_EQ(ReadToGoAway(), NGHTTP2_NO_ERROR);
  Hang();
  config_.goaway_chance = 0;
  ConnectHttp2();
  SendGet(1, kPodA);
  ReadAnswer(1);
  ExpectAlive();
}

// A watch that runs goes on after GOAWAY, for as long as it would have.
TEST_F(Http2LimitsTest, AWatchOutlivesTheGoAwayOfItsConnection) {
  ConnectHttp2();
  SendGet(1, kWatch);
  ReadBodyUntil(1, "of-b");
  CallOn(worker_, [&] { DrainHttp2(service_); });
  EXPECT_TRUE(ReadFramesUntil([](const Frame& f) { return f.type == NGHTTP2_GOAWAY; }));
  CallOn(worker_, [&] {
    log_.Put("default/c", {.note = "later"});
    replica_->OnBatch(log_.Cut(), 1);
  });
  ReadBodyUntil(1, "later");
  SendFrame(NGHTTP2_RST_STREAM, 0, 1, Number32(NGHTTP2_CANCEL));
  EXPECT_EQ(ReadToGoAway(), NGHTTP2_NO_ERROR);
}

// Who is told to go keeps its watch, and is counted apart; a connection that has just come is the
// last to be told.
TEST_F(Http2LimitsTest, TheOldestConnectionIsSentAwayAndItsWatchGoesOn) {
  const auto taking = [this] { return service_.http2_roll.taking(); };
  const auto leaving = [this] { return service_.http2_roll.leaving(); };
  const auto send_away = [this](size_t count) {
    size_t told = 0;
    CallOn(worker_, [&] { told = SendAwayHttp2(service_, count); });
    return told;
  };
  EXPECT_EQ(send_away(10), 0u);
  ConnectHttp2();
  SendFrame(NGHTTP2_PING, 0, 0, "12345678");
  ReadFramesUntil([](const Frame& frame) { return frame.type == NGHTTP2_PING; });
  EXPECT_EQ(taking(), 0u) << "who has asked nothing is nobody yet";
  SendGet(1, kWatch);
  ReadBodyUntil(1, "of-b");
  EXPECT_EQ(taking(), 1u);
  // A second client, younger.
  auto first_stream = std::move(stream_);
  auto first_coder = std::move(coder_);
  auto first_answers = std::move(answers_);
  const std::string first_received = std::exchange(received_, {});
  ConnectHttp2();
  SendGet(1, kPodA);
  EXPECT_EQ(ReadAnswer(1)[":status"], "200");
  EXPECT_EQ(taking(), 2u);
  EXPECT_EQ(leaving(), 0u);
  const uint64_t goaways = ProcessMetrics().rebalance_goaways.value();
  EXPECT_EQ(send_away(1), 1u);
  EXPECT_EQ(ProcessMetrics().rebalance_goaways.value(), goaways + 1);
  EXPECT_EQ(ProcessMetrics().http2_taking.value(), 1);
  EXPECT_EQ(taking(), 1u);
  EXPECT_EQ(leaving(), 1u);
  ExpectAlive();  // The younger one was told nothing.
  // And the second, too, of however many are asked for: it ends at once, as nothing runs on it.
  EXPECT_EQ(send_away(10), 1u);
  EXPECT_EQ(ReadToGoAway(), NGHTTP2_NO_ERROR);
  WaitUntil([&] { return leaving() == 1; });
  EXPECT_EQ(send_away(10), 0u);

  stream_ = std::move(first_stream);
  coder_ = std::move(first_coder);
  answers_ = std::move(first_answers);
  received_ = first_received;
  goaway_ = -1;
  CallOn(worker_, [&] {
    log_.Put("default/c", {.note = "later"});
    replica_->OnBatch(log_.Cut(), 1);
  });
  ReadBodyUntil(1, "later");
  EXPECT_EQ(goaway_, NGHTTP2_NO_ERROR);
  EXPECT_EQ(goaway_last_, 1u);
  SendFrame(NGHTTP2_RST_STREAM, 0, 1, Number32(NGHTTP2_CANCEL));
  EXPECT_EQ(ReadToGoAway(), NGHTTP2_NO_ERROR);
  WaitUntil([&] { return leaving() == 0; });
  EXPECT_EQ(taking(), 0u);
}

TEST_F(Http2LimitsTest, AConnectionThatIsLostIsNeitherHereNorLeaving) {
  ConnectHttp2();
  SendGet(1, kWatch);
  ReadBodyUntil(1, "of-b");
  Hang();
  WaitUntil([this] { return service_.http2_roll.taking() == 0; });
  EXPECT_EQ(service_.http2_roll.leaving(), 0u);
}

TEST_F(Http2LimitsTest, AnsweredStreamsHoldNothing) {
  ConnectHttp2();
  SendWindow(0, 1 << 30);
  for (uint32_t id = 1; id < 2001; id += 2) {
    SendGet(id, kPodA);
    ASSERT_EQ(ReadAnswer(id)[":status"], "200");
  }
  CallOn(worker_, [&] {
    ASSERT_EQ(service_.http2_sessions.size(), 1u);
    const Http2Session& session = **service_.http2_sessions.begin();
    EXPECT_EQ(session.kept(), 0u);
    EXPECT_EQ(session.running, 0u);
  });
  EXPECT_EQ(ProcessMetrics().http2_streams.value(), 0);
}

// Many watches of a client whose connection's window is small: they wait for it without a copy of
// what they have to say, and all get it.
TEST_F(Http2LimitsTest, WatchesShareASmallWindowInTurns) {
  for (int i = 0; i < 100; ++i) {
    CallOn(worker_, [&] {
      log_.Put("default/p" + std::to_string(i), {.note = std::string(2000, 'n')});
      replica_->OnBatch(log_.Cut(), 1);
    });
  }
  ConnectHttp2();
  std::string bytes;
  for (uint32_t id = 1; id < 200; id += 2) bytes += HeadersBytes(id, Request("GET", kWatch));
  SendBytes(bytes);
  size_t received = 0;
  const auto all = [&] {
    received = 0;
    size_t whole = 0;
    for (uint32_t id = 1; id < 200; id += 2) {
      const std::string& body = answers_[id].body;
      received += body.size();
      const size_t end = body.size() - std::min<size_t>(body.size(), 1000);
      whole += body.find("of-b", end) != std::string::npos ? 1 : 0;
    }
    return whole == 100;
  };
  size_t most_kept = 0;
  size_t opened = 65535;
  while (!all()) {
    if (received >= opened) {
      CallOn(worker_,
             [&] { most_kept = std::max(most_kept, (*service_.http2_sessions.begin())->kept()); });
      SendWindow(0, 500'000);
      opened += 500'000;
      for (uint32_t id = 1; id < 200; id += 2) SendWindow(id, 100'000);
    }
    ASSERT_NE(ReadFrame().type, 0xff);
  }
  for (uint32_t id = 1; id < 200; id += 2) EXPECT_EQ(answers_[id].reset, -1);
  EXPECT_LE(most_kept, size_t{1} << 20);
}

// A list's windows follow what the client takes: nothing of it is copied for later but 16 KiB.
TEST_F(Http2LimitsTest, AListThatIsNotTakenKeepsLittle) {
  for (int i = 0; i < 500; ++i) {
    CallOn(worker_, [&] {
      log_.Put("default/p" + std::to_string(i), {.note = std::string(4000, 'n')});
      replica_->OnBatch(log_.Cut(), 1);
    });
  }
  ConnectHttp2(Setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1000));
  for (uint32_t id = 1; id < 40; id += 2) SendGet(id, "/api/v1/pods?resourceVersion=0");
  for (uint32_t id = 1; id < 40; id += 2)
    while (answers_[id].body.size() < 1000) ASSERT_NE(ReadFrame().type, 0xff);
  CallOn(worker_, [&] { EXPECT_LE((*service_.http2_sessions.begin())->kept(), 20u * 16 * 1024); });
  SendWindow(0, 1 << 30);
  std::string whole;
  for (uint32_t id = 1; id < 40; id += 2) {
    SendWindow(id, 1 << 30);
    const Answer answer = ReadAnswer(id);
    EXPECT_TRUE(answer.ended);
    EXPECT_GT(answer.body.size(), 2'000'000u);
    EXPECT_EQ(answer.body.back(), '\n');
    if (whole.empty()) whole = answer.body;
    EXPECT_TRUE(whole == answer.body);
  }
}

}  // namespace
}  // namespace weir
