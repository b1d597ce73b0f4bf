#include "bench/sim/control.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weir::sim {
namespace {

constexpr uint64_t kMaxCount = 1'000'000;

// A decimal up to kMaxCount; nothing for anything else.
std::optional<uint64_t> NumberOf(const Query& query, std::string_view name, uint64_t otherwise) {
  const auto text = query.First(name);
  if (!text) return otherwise;
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || stop != text->data() + text->size() || value > kMaxCount) return {};
  return value;
}

Reply Refused(std::string_view why) {
  Reply reply;
  reply.status = 400;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = fmt::format("{}\n", why);
  return reply;
}

Reply Done() { return JsonReply("{}"); }

}  // namespace

Reply Control::Handle(std::string_view method, std::string_view target, TimePoint now,
                      const ServerCounters* counters) {
  const auto mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const Query query(mark == std::string_view::npos ? "" : target.substr(mark + 1));
  if (path == "/sim/status" && method == "GET") return StatusReply(counters);
  if (path == "/sim/fault" && method == "POST") return Fault(query, now);
  if (path == "/sim/churn" && method == "POST") return ChurnFor(query);
  Reply reply = Refused("see bench/sim/README.md");
  reply.status = 404;
  return reply;
}

Reply Control::Fault(const Query& query, TimePoint now) {
  const std::string_view kind = query.Text("kind");
  const std::string resource(query.Text("resource"));
  const auto count = NumberOf(query, "count", 1);
  const auto seconds = NumberOf(query, "seconds", 10);
  const auto code = NumberOf(query, "code", 500);
  const auto by = NumberOf(query, "by", 1);
  const auto retry = NumberOf(query, "retryAfter", 1);
  if (!count || !seconds || !code || !by || !retry) return Refused("not a number");
  if (kind == "drop-watches") return DropWatches(query);
  if (kind == "refuse") {
    if (*code < 400 || *code > 599) return Refused("code must be 400 to 599");
    Faults::Refusal refusal{static_cast<int>(*code), std::string(query.Text("verb")), resource,
                            *count, static_cast<int>(*retry)};
    return faults_.Refuse(std::move(refusal)) ? Done() : Refused("too many refusals at once");
  }
  if (kind == "stall") {
    faults_.Stall(now + std::chrono::seconds(*seconds), resource);
  } else if (kind == "cut") {
    faults_.Cut(*count, resource);
  } else if (kind == "clear") {
    faults_.Clear();
  } else if (kind == "compact") {
    store_.Compact();
  } else if (kind == "rewind") {
    if (*by >= store_.revision().value) return Refused("further back than the beginning");
    const Status status = store_.Rewind({store_.revision().value - *by});
    if (!status.ok()) return Refused(Message(status));
    // A kube-apiserver behind a restored etcd is a new process.
    for (const auto& [id, collection] : store_.collections()) {
      for (Watch* watch : collection->watches()) watch->End(Watch::Ending::kReset);
    }
  } else {
    return Refused("unknown kind");
  }
  return Done();
}

Reply Control::DropWatches(const Query& query) {
  const bool reset = query.Text("mode") == "reset";
  uint64_t dropped = 0;
  for (const auto& [id, collection] : store_.collections()) {
    if (!query.Text("resource").empty() && query.Text("resource") != id.resource) continue;
    for (Watch* watch : collection->watches()) {
      watch->End(reset ? Watch::Ending::kReset : Watch::Ending::kClean);
      ++dropped;
    }
  }
  return JsonReply(fmt::format(R"({{"dropped":{}}})", dropped));
}

Reply Control::ChurnFor(const Query& query) {
  const auto rate = NumberOf(query, "rate", static_cast<uint64_t>(churn_.rate()));
  const auto burst = NumberOf(query, "burst", 0);
  if (!rate || !burst) return Refused("not a number");
  churn_.SetRate(static_cast<double>(*rate));
  for (uint64_t i = 0; i < *burst; ++i) churn_.Step(query.Text("only") == "pods");
  return JsonReply(fmt::format(R"({{"revision":{}}})", store_.revision().value));
}

Reply Control::StatusReply(const ServerCounters* counters) const {
  JsonObject status;
  status["revision"] = store_.revision().value;
  status["churnRate"] = churn_.rate();
  status["churnEvents"] = churn_.events();
  if (counters != nullptr) {
    status["connections"] = counters->connections;
    status["accepted"] = counters->accepted;
    status["requests"] = counters->requests;
    status["sentBytes"] = counters->sent_bytes;
  }
  JsonObject resources;
  for (const auto& [id, collection] : store_.collections()) {
    const ObjectTree::Sums sums = collection->tree().sums();
    resources[id.ToString()] = JsonObject{{"objects", sums.objects},
                                          {"bytes", sums.rest_bytes},
                                          {"watches", collection->watches().size()},
                                          {"cacheRevision", collection->cache_revision().value},
                                          {"oldest", collection->oldest().value}};
  }
  status["resources"] = std::move(resources);
  JsonObject counts;
  for (const auto& [name, count] : api_.counts()) counts[name] = count;
  status["counts"] = std::move(counts);
  return JsonReply(ToText(Json(std::move(status))));
}

}  // namespace weir::sim
