#include "proxy/upstream/http_list_watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proxy/upstream/scripted_server.h"

namespace weir {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Writes down the calls; on the worker.
struct Sink final : ApiResponseSink {
  explicit Sink(Worker& worker) : changed(worker) {}
  void OnHead(const ApiResponseHead& h) override {
    EXPECT_FALSE(inside_get);
    head = h;
    Call("head");
  }
  void OnBody(std::string_view bytes) override {
    body += bytes;
    pieces.push_back(bytes.size());
    Call("body");
  }
  void OnEnd(const Status& s) override {
    EXPECT_FALSE(inside_get);
    status = s;
    Call("end");
  }
  void Call(const std::string& name) {
    if (calls.empty() || calls.back() != name) calls.push_back(name);
    if (destroy_at == name) call.reset();
    changed.Notify();
  }
  Async<void> Until(std::string name) {
    while (std::find(calls.begin(), calls.end(), name) == calls.end()) co_await changed.Wait();
  }

  Signal changed;
  bool inside_get = false;
  std::string destroy_at;
  std::unique_ptr<ApiCall> call;
  std::vector<std::string> calls;
  ApiResponseHead head;
  std::string body;
  std::vector<size_t> pieces;
  Status status;
};

class HttpListWatcherTest : public ::testing::Test {
 protected:
  HttpListWatcherTest() {
    UpstreamConfig config;
    config.servers = {server_.url()};
    config.ca_pem = server_.tls().ca().certificate().pem;
    token_file_ = folder_.Write("token", "first\n");
    config.token_file = token_file_;
    upstream_ = Upstream::Make(config, "", "").value();
    watcher_ = MakeHttpListWatcher(worker_, upstream_);
    worker_.Start();
  }
  ~HttpListWatcherTest() override {
    if (!ended_) CallOn(worker_, [this] { watcher_.reset(); });
    worker_.Discard();
  }

  void Get(Sink& sink, ApiRequest request) {
    sink.inside_get = true;
    sink.call = watcher_->Get(std::move(request), sink);
    sink.inside_get = false;
  }
  static ApiRequest Of(std::string target) {
    ApiRequest request;
    request.target = std::move(target);
    return request;
  }

  TempFolder folder_;
  std::string token_file_;
  ScriptedServer server_;
  Worker worker_{0};
  std::shared_ptr<Upstream> upstream_;
  std::unique_ptr<ListWatcher> watcher_;
  bool ended_ = false;  // The test itself has stopped the worker.
};

TEST_F(HttpListWatcherTest, HeadBodyEndInThisOrderAndNoneInsideGet) {
  server_.OnRequest([](const ScriptedServer::Request&) {
    return "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nRetry-After: 7\r\n"
           "Warning: 299 - \"a\"\r\nWarning: 299 - \"b\"\r\nContent-Length: 3\r\n\r\nno\n";
  });
  RunOn(worker_, [&]() -> Async<void> {
    Sink sink(worker_);
    Get(sink, Of("/api/v1/pods?limit=1"));
    EXPECT_THAT(sink.calls, ElementsAre());
    co_await sink.Until("end");
    EXPECT_THAT(sink.calls, ElementsAre("head", "body", "end"));
    EXPECT_EQ(sink.head.status, 429);
    EXPECT_EQ(sink.head.content_type, "text/plain");
    EXPECT_EQ(sink.head.retry_after_seconds, 7);
    EXPECT_EQ(sink.head.warning, "299 - \"a\"\n299 - \"b\"");
    EXPECT_EQ(sink.body, "no\n");
    EXPECT_TRUE(sink.status.ok());
  });
  const auto requests = server_.requests();
  EXPECT_EQ(requests.at(0).head.target, "/api/v1/pods?limit=1");
  EXPECT_EQ(*requests.at(0).head.headers.First("Authorization"), "Bearer first");
  EXPECT_EQ(*requests.at(0).head.headers.First("Accept"), "application/json");
}

TEST_F(HttpListWatcherTest, TheCallMayBeDestroyedInsideEachOfItsCallbacks) {
  server_.OnRequest([](const ScriptedServer::Request&) { return Answer200("body"); });
  RunOn(worker_, [&]() -> Async<void> {
    for (const std::string name : {"head", "body", "end"}) {
      Sink sink(worker_);
      sink.destroy_at = name;
      Get(sink, Of("/x"));
      co_await sink.Until(name);
      Sink next(worker_);  // By its end the first would have been called again.
      Get(next, Of("/y"));
      co_await next.Until("end");
      EXPECT_EQ(next.body, "body");
      EXPECT_EQ(sink.calls.back(), name);
    }
  });
}

TEST_F(HttpListWatcherTest, ACallThatIsGivenUpIsNeverHeardOfAgain) {
  RunOn(worker_, [&]() -> Async<void> {
    {
      Sink at_once(worker_);
      Get(at_once, Of("/x"));
      at_once.call.reset();
      Sink later(worker_);
      Get(later, Of("/y"));
      Signal pause(worker_);
      co_await pause.Wait(worker_.Now() + milliseconds(20));
      later.call.reset();
      EXPECT_THAT(later.calls, ElementsAre());
      EXPECT_THAT(at_once.calls, ElementsAre());
    }
    Signal pause(worker_);
    co_await pause.Wait(worker_.Now() + milliseconds(5));
  });
}

TEST_F(HttpListWatcherTest, AServerThatDoesNotAnswerMeetsTheHeadsTimeout) {
  RunOn(worker_, [&]() -> Async<void> {
    Sink sink(worker_);
    ApiRequest request = Of("/x");
    request.head_timeout = milliseconds(500);
    Get(sink, std::move(request));
    co_await sink.Until("end");
    EXPECT_THAT(sink.calls, ElementsAre("end"));
    EXPECT_TRUE(absl::IsDeadlineExceeded(sink.status)) << sink.status;
  });
}

TEST_F(HttpListWatcherTest, ABodyThatStallsMeetsItsOwnTimeout) {
  server_.OnRequest([](const ScriptedServer::Request&) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
  });
  RunOn(worker_, [&]() -> Async<void> {
    Sink sink(worker_);
    ApiRequest request = Of("/x");
    request.stall_timeout = milliseconds(5);
    Get(sink, std::move(request));
    co_await sink.Until("end");
    EXPECT_THAT(sink.calls, ElementsAre("head", "body", "end"));
    EXPECT_TRUE(absl::IsDeadlineExceeded(sink.status)) << sink.status;
  });
}

TEST_F(HttpListWatcherTest, ABodyThatBreaksOffIsUnavailable) {
  server_.OnRequest([](const ScriptedServer::Request&) {
    return ScriptedServer::Reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
                                 ScriptedServer::After::kClose);
  });
  RunOn(worker_, [&]() -> Async<void> {
    Sink sink(worker_);
    Get(sink, Of("/x"));
    co_await sink.Until("end");
    EXPECT_TRUE(absl::IsUnavailable(sink.status)) << sink.status;
    EXPECT_EQ(sink.body, "he");
  });
}

TEST_F(HttpListWatcherTest, ChunksThatArriveTogetherAreOneBatch) {
  std::string chunks;
  std::string body;
  for (int i = 0; i < 40; ++i) {
    const std::string frame(3000, static_cast<char>('a' + i % 26));
    chunks += Chunk(frame);
    body += frame;
  }
  server_.OnRequest([&](const ScriptedServer::Request&) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunk("first");
  });
  RunOn(worker_, [&]() -> Async<void> {
    Sink sink(worker_);
    Get(sink, Of("/x?watch=true"));
    co_await sink.Until("body");
    // The server sends while this thread, the client's, is held.
    server_.Send(0, chunks + "0\r\n\r\n");
    co_await sink.Until("end");
    EXPECT_EQ(sink.body, "first" + body);
    EXPECT_LE(sink.pieces.size(), 3u) << "not one for each chunk, nor one for each 16 KiB";
  });
}

TEST_F(HttpListWatcherTest, InterimAnswersArePassedOver) {
  server_.OnRequest([&](const ScriptedServer::Request&) {
    return "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + Answer200("real");
  });
  RunOn(worker_, [&]() -> Async<void> {
    Sink sink(worker_);
    Get(sink, Of("/x"));
    co_await sink.Until("end");
    EXPECT_EQ(sink.head.status, 200);
    EXPECT_EQ(sink.body, "real");
  });
}

TEST_F(HttpListWatcherTest, OneConnectionIsKeptForTheNextCallAndDroppedOnASwitch) {
  server_.OnRequest([](const ScriptedServer::Request&) { return Answer200("x"); });
  RunOn(worker_, [&]() -> Async<void> {
    for (int i = 0; i < 3; ++i) {
      Sink sink(worker_);
      Get(sink, Of("/x"));
      co_await sink.Until("end");
    }
  });
  EXPECT_EQ(server_.connections(), 1u);
  RunOn(worker_, [&]() -> Async<void> {
    watcher_->SwitchEndpoint();
    Sink sink(worker_);
    Get(sink, Of("/x"));
    co_await sink.Until("end");
  });
  EXPECT_EQ(server_.connections(), 2u);
}

TEST_F(HttpListWatcherTest, ARefusedTokenIsReadAnewFromItsFile) {
  server_.OnRequest([](const ScriptedServer::Request& request) -> ScriptedServer::Reply {
    if (*request.head.headers.First("Authorization") == "Bearer second") return Answer200("ok");
    return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
  });
  RunOn(worker_, [&]() -> Async<void> {
    Sink refused(worker_);
    Get(refused, Of("/x"));
    co_await refused.Until("end");
    EXPECT_EQ(refused.head.status, 401);
    folder_.Write("token", "second");
    Sink sink(worker_);
    Get(sink, Of("/x"));
    co_await sink.Until("end");
    EXPECT_EQ(sink.head.status, 200);
  });
}

TEST_F(HttpListWatcherTest, ACallMayOutliveTheWatcherAndItsWorker) {
  std::unique_ptr<Sink> sink;
  CallOn(worker_, [&] {
    sink = std::make_unique<Sink>(worker_);
    Get(*sink, Of("/hangs"));
  });
  while (server_.requests().empty()) std::this_thread::yield();
  CallOn(worker_, [&] { watcher_.reset(); });
  worker_.Stop();
  ended_ = true;
  const std::unique_ptr<ApiCall> call = std::move(sink->call);
  sink.reset();
  worker_.Discard();  // Destroys the request; the call that stood for it goes last.
}

}  // namespace
}  // namespace weir
