// One stream towards the API server: its head, its bodies, its windows, its ends.
#include "proxy/upstream/http2_client_stream.h"

#include "tests/proxy/upstream/http2_upstream_fixture.h"

namespace weir {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Peer = Http2Peer;

class Http2ClientStreamTest : public Http2UpstreamTest {
 protected:
  Http2ClientStreamTest() { Connect(); }
  // Answers every request with what `answer` does.
  Got AskFor(Peer::Script answer, const std::string& method = "GET") {
    peer_.OnRequest(std::move(answer));
    return Ask(Over2(), Request(method));
  }
  // HPACK's coder of nghttp2 takes no more than 64 KiB for one.
  static Fields Large(int count) {
    Fields fields;
    for (int i = 0; i < count; ++i)
      fields.emplace_back("x-" + std::to_string(i), std::string(60'000, 'v'));
    return fields;
  }
  Status Send(const Exchange& exchange, const std::string& body) {
    Status status;
    RunOn(worker_, [&]() -> Async<void> { status = co_await exchange->SendBody(body); });
    return status;
  }
};

TEST_F(Http2ClientStreamTest, AHeadAsHttp2HasIt) {
  http::RequestHead head = Request("POST", "/api/v1/pods?x=1");
  head.headers.Add("Authorization", "Bearer secret");
  head.headers.Add("X-Remote-User", "alice");
  head.headers.Add("Impersonate-Group", "g");
  head.headers.Add("Connection", "keep-alive");
  head.headers.Add("TE", "trailers");
  head.headers.Add("X-Mixed-Case", "kept As It is");
  head.body = {http::BodyFraming::Kind::kLength, 2};
  Exchange exchange = Begin(Over2(), std::move(head));
  EXPECT_TRUE(Send(exchange, "ab").ok());
  peer_.WaitUntil([&] { return !peer_.requests().empty() && peer_.requests()[0].ended; });
  const Peer::Request request = peer_.requests()[0];
  EXPECT_EQ(request[":method"], "POST");
  EXPECT_EQ(request[":scheme"], "https");
  EXPECT_EQ(request[":path"], "/api/v1/pods?x=1");
  EXPECT_EQ("https://" + request[":authority"], peer_.url()) << "not the client's Host";
  EXPECT_EQ(request["host"], "");
  EXPECT_EQ(request["connection"], "");
  EXPECT_EQ(request["te"], "trailers");
  EXPECT_EQ(request["x-mixed-case"], "kept As It is");
  EXPECT_EQ(request["content-length"], "2");
  EXPECT_EQ(request.body, "ab");
  EXPECT_THAT(request.never_indexed,
              ElementsAre("authorization", "x-remote-user", "impersonate-group"));
  End(std::move(exchange));
}

TEST_F(Http2ClientStreamTest, AnswersInAllForms) {
  Got got = AskFor([&](const Peer::Request& r) {
    peer_.Head(r, 103, {{"link", "x"}});
    peer_.Head(r, 200, {{"content-length", "5"}, {"x-a", " b "}});
    peer_.Send(r, "hello", true);
  });
  EXPECT_TRUE(got.status.ok()) << got.status;
  EXPECT_THAT(got.interim, ElementsAre(103));
  EXPECT_EQ(got.head.body.kind, http::BodyFraming::Kind::kLength);
  EXPECT_EQ(got.head.body.length, 5u);
  EXPECT_EQ(*got.head.headers.First("x-a"), "b");
  EXPECT_EQ(got.body, "hello");

  got = AskFor([&](const Peer::Request& r) {
    peer_.Head(r, 200);
    peer_.Send(r, "streamed");
    peer_.Trailers(r, {{"x-late", "1"}});
  });
  EXPECT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.head.body.kind, http::BodyFraming::Kind::kChunked);
  EXPECT_EQ(got.body, "streamed");
  ASSERT_TRUE(got.trailers.Has("x-late"));

  got = AskFor([&](const Peer::Request& r) { peer_.Head(r, 200, {{"content-length", "7"}}, true); },
               "HEAD");
  EXPECT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.head.body.kind, http::BodyFraming::Kind::kNone);
  EXPECT_EQ(*got.head.headers.First("content-length"), "7");
  for (const int status : {204, 304}) {
    got = AskFor([&](const Peer::Request& r) { peer_.Head(r, status, {}, true); });
    EXPECT_TRUE(got.status.ok()) << got.status;
    EXPECT_EQ(got.head.body.kind, http::BodyFraming::Kind::kNone);
  }
  got = AskFor([&](const Peer::Request& r) { peer_.Head(r, 200, Large(4), true); });
  EXPECT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(peer_.connections(), 1u);
}

TEST_F(Http2ClientStreamTest, MalformedAnswersEndTheirStreamAlone) {
  Exchange neighbour = Begin();
  const Peer::Request first = peer_.Await(0);
  const std::vector<std::pair<const char*, Peer::Script>> cases = {
      {"no status", [&](const Peer::Request& r) { peer_.Trailers(r, {{"x", "y"}}); }},
      {"bad status", [&](const Peer::Request& r) { peer_.Trailers(r, {{":status", "2x0"}}); }},
      {"101", [&](const Peer::Request& r) { peer_.Head(r, 101); }},
      {"capitals", [&](const Peer::Request& r) { peer_.Head(r, 200, {{"Upper", "x"}}); }},
      {"control", [&](const Peer::Request& r) { peer_.Head(r, 200, {{"x", "a\x01z"}}); }},
      {"connection", [&](const Peer::Request& r) { peer_.Head(r, 200, {{"connection", "x"}}); }},
      {"large", [&](const Peer::Request& r) { peer_.Head(r, 200, Large(5)); }},
      {"length", [&](const Peer::Request& r) { peer_.Head(r, 200, {{"content-length", "x"}}); }},
      {"shorter",
       [&](const Peer::Request& r) { peer_.Head(r, 200, {{"content-length", "3"}}, true); }},
      {"interim",
       [&](const Peer::Request& r) {
         for (int i = 0; i < 70; ++i) peer_.Head(r, 103);
       }},
  };
  for (const auto& [name, script] : cases) {
    const Got got = AskFor(script);
    EXPECT_TRUE(absl::IsInvalidArgument(got.status)) << name << ": " << got.status;
  }
  // Those that show when the head is out.
  Got got = AskFor([&](const Peer::Request& r) {
    peer_.Head(r, 200, {{"content-length", "3"}});
    peer_.Send(r, "more than that", true);
  });
  EXPECT_FALSE(got.status.ok());
  got = AskFor([&](const Peer::Request& r) {
    peer_.Head(r, 200, {{"content-length", "30"}});
    peer_.Send(r, "less", true);
  });
  EXPECT_FALSE(got.status.ok());
  EXPECT_EQ(got.body, "less");
  EXPECT_EQ(peer_.connections(), 1u);
  peer_.Answer(first, 200, "still here");
  EXPECT_EQ(Read(neighbour).body, "still here");
  End(std::move(neighbour));
}

TEST_F(Http2ClientStreamTest, AResetInMidAnswerIsABrokenAnswer) {
  const Got got = AskFor([&](const Peer::Request& r) {
    peer_.Head(r, 200);
    peer_.Send(r, "the beginning");
    peer_.Reset(r, NGHTTP2_INTERNAL_ERROR);
  });
  EXPECT_TRUE(absl::IsUnavailable(got.status)) << got.status;
  EXPECT_THAT(std::string(Message(got.status)), HasSubstr("INTERNAL_ERROR"));
  EXPECT_EQ(got.head.status, 200);
  EXPECT_EQ(got.body, "the beginning");
  const Got next = AskFor([&](const Peer::Request& r) { peer_.Answer(r, 200, "ok"); });
  EXPECT_EQ(next.body, "ok");
  EXPECT_EQ(peer_.connections(), 1u);
}

TEST_F(Http2ClientStreamTest, WhoLeavesCancelsHisStreamAlone) {
  Exchange leaves = Begin();
  Exchange stays = Begin();
  const Peer::Request first = peer_.Await(0);
  const Peer::Request second = peer_.Await(1);
  peer_.Head(first, 200);
  End(std::move(leaves));
  peer_.WaitUntil([&] { return peer_.requests()[0].reset == NGHTTP2_CANCEL; });
  peer_.Send(first, std::string(100'000, 'x'));  // What is on its way is nobody's.
  peer_.Answer(second, 200, "ok");
  EXPECT_EQ(Read(stays).body, "ok");
  End(std::move(stays));
  EXPECT_EQ(peer_.requests()[1].reset, -1);
  EXPECT_EQ(peer_.open_connections(), 1u);
}

TEST_F(Http2ClientStreamTest, AbortAndDeadlineWakeWhoWaits) {
  Exchange exchange = Begin();
  RunOn(worker_, [&]() -> Async<void> {
    const auto late = co_await exchange->ReadHead("GET", std::chrono::milliseconds(20));
    EXPECT_TRUE(absl::IsDeadlineExceeded(late.status())) << late.status();
  });
  peer_.WaitUntil([&] { return peer_.requests()[0].reset == NGHTTP2_CANCEL; });
  End(std::move(exchange));
  exchange = Begin();
  RunOn(worker_, [&]() -> Async<void> {
    worker_.After(std::chrono::milliseconds(20), [&] { exchange->Abort(); });
    const auto cut = co_await exchange->ReadHead("GET", std::chrono::hours(1));
    EXPECT_TRUE(absl::IsCancelled(cut.status())) << cut.status();
    EXPECT_FALSE(exchange->unprocessed());
  });
  End(std::move(exchange));
}

TEST_F(Http2ClientStreamTest, ASlowReaderHoldsItsWindowAndStopsNobody) {
  constexpr size_t kWindow = 256 * 1024;
  constexpr size_t kMuch = 4 << 20;
  Exchange slow = Begin();
  const Peer::Request first = peer_.Await(0);
  peer_.Head(first, 200);
  peer_.Send(first, std::string(kMuch, 's'), true);
  Exchange quick = Begin();
  const Peer::Request second = peer_.Await(1);
  peer_.Head(second, 200);
  peer_.Send(second, std::string(kMuch, 'q'), true);
  EXPECT_EQ(Read(quick).body.size(), kMuch);
  EXPECT_EQ(peer_.Held(first), kMuch - kWindow) << "what is unread is bounded";
  EXPECT_EQ(Read(slow).body.size(), kMuch);
  End(std::move(slow));
  End(std::move(quick));
}

TEST_F(Http2ClientStreamTest, BodiesKeepToThePeersWindows) {
  peer_.gives_back = false;
  http::RequestHead head = Request("POST");
  head.body.kind = http::BodyFraming::Kind::kChunked;
  Exchange exchange = Begin(Over2(), std::move(head));
  const std::string body(200'000, 'b');
  bool sent = false;
  Peek([&] {
    worker_.Spawn([](UpstreamExchange* e, const std::string* b, bool* done) -> Async<void> {
      const Status status = co_await e->SendBody(*b);
      EXPECT_TRUE(status.ok()) << status;
      const Status end = co_await e->EndBody();
      EXPECT_TRUE(end.ok()) << end;
      *done = true;
    }(exchange.get(), &body, &sent));
  });
  peer_.WaitUntil(
      [&] { return !peer_.requests().empty() && peer_.requests()[0].body.size() == 65535; });
  const Peer::Request request = peer_.requests()[0];
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(peer_.requests()[0].body.size(), 65535u);
  Peek([&] { EXPECT_FALSE(sent); });
  const std::string more = Number32(1 << 20);
  peer_.SendBytes(0, FrameBytes(NGHTTP2_WINDOW_UPDATE, 0, 0, more) +
                         FrameBytes(NGHTTP2_WINDOW_UPDATE, 0, request.stream, more));
  peer_.WaitUntil([&] { return peer_.requests()[0].ended; });
  EXPECT_EQ(peer_.requests()[0].body.size(), body.size());
  peer_.Answer(request, 201, "made");
  EXPECT_EQ(Read(exchange, "POST").head.status, 201);
  End(std::move(exchange));
}

TEST_F(Http2ClientStreamTest, AnEarlyAnswerIsReadThoughTheBodyIsNotTaken) {
  peer_.gives_back = false;
  http::RequestHead head = Request("POST");
  head.body = {http::BodyFraming::Kind::kLength, 1 << 20};
  Exchange exchange = Begin(Over2(), std::move(head));
  peer_.OnRequest({});
  const Peer::Request request = peer_.Await(0);
  Peek([&] {
    worker_.Post([&] {
      peer_.Answer(request, 413, "too large");
      peer_.Reset(request, NGHTTP2_NO_ERROR);
    });
  });
  EXPECT_FALSE(Send(exchange, std::string(1 << 20, 'b')).ok());
  const Got got = Read(exchange, "POST");
  EXPECT_TRUE(got.status.ok()) << got.status;
  EXPECT_EQ(got.head.status, 413);
  EXPECT_EQ(got.body, "too large");
  End(std::move(exchange));
}

}  // namespace
}  // namespace weir
