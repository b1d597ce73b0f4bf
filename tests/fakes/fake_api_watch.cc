// FakeApiServer's watches: each stream brings what its endpoint has seen.
#include <utility>

#include "protocol/k8s/proto_frame.h"
#include "protocol/k8s/uncached.h"
#include "protocol/k8s/watch_frame.h"
#include "tests/fakes/fake_exchange.h"

namespace weir {

using std::chrono::milliseconds;
using std::chrono::seconds;

void FakeApiServer::AnswerWatch(const ExchangeRef& exchange, Collection& collection) {
  const std::string_view target = exchange->request.target;
  exchange->collection = &collection;
  exchange->open = true;
  exchange->deaf = Chance(chaos_.deaf);
  exchange->bookmarks = QueryValue(target, "allowWatchBookmarks") == "true";
  exchange->start = exchange->cursor = QueryNumber(target, "resourceVersion");
  streams_.push_back(exchange);
  exchange->sink->OnHead(Head(200, exchange->encoding));
  if (exchange->sink == nullptr) return;
  if (exchange->start < collection.compacted || Chance(chaos_.expire)) {
    const ApiError error = Error(
        410, "Expired",
        fmt::format("too old resource version: {} ({})", exchange->start, collection.compacted));
    Send(exchange, IsProtobuf(exchange->encoding) ? ProtoErrorFrame(error) : ErrorFrame(error));
    return End(exchange, true);
  }
  Pump(exchange);
  const Duration timeout = seconds(QueryNumber(target, "timeoutSeconds"));
  // One about two seconds before the end, and one a minute (design, section 7).
  if (timeout > seconds(2)) {
    ScheduleBookmark(exchange, timeout - milliseconds(1300 + static_cast<int64_t>(random_() % 850)),
                     Duration(0));
    ScheduleBookmark(exchange, seconds(60), seconds(60));
  }
  Later(exchange, timeout, [this](const ExchangeRef& e) {
    Pump(e);
    End(e, true);
  });
}

void FakeApiServer::SchedulePump(const ExchangeRef& exchange, Duration delay) {
  Later(exchange, delay, [this](const ExchangeRef& e) { Pump(e); });
}

void FakeApiServer::Pump(const ExchangeRef& exchange) {
  if (!exchange->open || exchange->deaf || deaf_ || exchange->pausing) return;
  const TimePoint now = exchange->executor->Now();
  const uint64_t seen = SeenBy(exchange->endpoint, now);
  std::vector<std::string> frames;
  size_t pause = 0;  // Before that frame; 0: none.
  bool more = false;
  const auto& history = exchange->collection->history;
  auto next = std::find_if(history.begin(), history.end(), [&](const Change& change) {
    return change.after.revision.value > exchange->cursor;
  });
  for (; next != history.end(); ++next) {
    if (next->after.revision.value > seen) {
      more = true;
      break;
    }
    const bool shares = !frames.empty() && (next - 1)->after.revision == next->after.revision;
    if (shares && Chance(chaos_.apart)) pause = frames.size();
    frames.push_back(FrameOf(*exchange->collection, *next, exchange->encoding));
    if (Chance(chaos_.duplicate)) frames.push_back(frames.back());
  }
  if (more) SchedulePump(exchange, milliseconds(5) + Latency());
  if (frames.empty()) return;
  exchange->cursor = (next - 1)->after.revision.value;
  if (pause > 0) return SendApart(exchange, frames, pause);
  const bool reordered = frames.size() > 1 && Chance(chaos_.reorder);
  if (reordered) std::swap(frames[0], frames[1]);
  std::string bytes;
  for (const std::string& frame : frames) bytes += frame;
  // In one piece: half of it would be a loss that no client could notice.
  if (reordered) {
    return Later(exchange, Duration(0), [bytes](const ExchangeRef& e) { e->sink->OnBody(bytes); });
  }
  if (Chance(chaos_.cut)) {
    bytes.resize(random_() % (bytes.size() + 1));
    Send(exchange, std::move(bytes));
    return End(exchange, false);
  }
  Send(exchange, std::move(bytes));
}

void FakeApiServer::SendApart(const ExchangeRef& exchange, const std::vector<std::string>& frames,
                              size_t pause) {
  std::string first, rest;
  for (size_t i = 0; i < frames.size(); ++i) (i < pause ? first : rest) += frames[i];
  Send(exchange, std::move(first));
  exchange->pausing = true;
  Later(exchange, milliseconds(20 + random_() % 1200), [this, rest](const ExchangeRef& e) {
    e->pausing = false;
    Send(e, rest);
    Pump(e);
  });
}

void FakeApiServer::ScheduleBookmark(const ExchangeRef& exchange, Duration delay,
                                     Duration interval) {
  Later(exchange, delay, [this, interval](const ExchangeRef& e) {
    Bookmark(e);
    if (e->sink != nullptr && interval > Duration(0)) ScheduleBookmark(e, interval, interval);
  });
}

void FakeApiServer::Bookmark(const ExchangeRef& exchange) {
  Pump(exchange);
  if (!exchange->open || !exchange->bookmarks || exchange->deaf || deaf_) return;
  if (IsUncachedUpstream(exchange->collection->type.id)) return;
  const uint64_t seen = SeenBy(exchange->endpoint, exchange->executor->Now());
  if (seen <= exchange->start) return;
  exchange->cursor = std::max(exchange->cursor, seen);
  Send(exchange, BookmarkOf(*exchange->collection, seen, exchange->encoding));
}

void FakeApiServer::Send(const ExchangeRef& exchange, std::string bytes) {
  while (!bytes.empty()) {
    const size_t piece = Chance(chaos_.split) ? 1 + random_() % bytes.size() : bytes.size();
    Later(exchange, Duration(0),
          [part = bytes.substr(0, piece)](const ExchangeRef& e) { e->sink->OnBody(part); });
    bytes.erase(0, piece);
  }
}

void FakeApiServer::End(const ExchangeRef& exchange, bool clean) {
  if (!std::exchange(exchange->open, false)) return;
  Later(exchange, Duration(0), [clean](const ExchangeRef& e) {
    e->sink->OnEnd(clean ? OkStatus() : Unavailable("connection reset"));
  });
}

}  // namespace weir
