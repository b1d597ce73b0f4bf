#include "proxy/upstream/front_proxy_headers.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <exception>
#include <optional>
#include <utility>

#include "protocol/base/log.h"
#include "proxy/net/signal.h"
#include "proxy/upstream/own_request.h"

namespace weir {

namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kPath =
    "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
constexpr Duration kTimeout = std::chrono::seconds(5);
constexpr Duration kKnown = std::chrono::seconds(60);
constexpr Duration kUnknown = std::chrono::seconds(1);
constexpr Duration kRefusalLasts = std::chrono::minutes(5);

// A list in JSON, inside a string of JSON.
Status AddList(std::string_view key, std::string_view text, std::vector<std::string>& list) {
  dom::parser parser;
  dom::array array;
  if (parser.parse(simdjson::padded_string(text)).get(array) != simdjson::SUCCESS)
    return InvalidArgument(fmt::format("{} is no list: {:.100}", key, text));
  for (const dom::element item : array) {
    std::string_view name;
    if (item.get(name) != simdjson::SUCCESS)
      return InvalidArgument(fmt::format("{} holds another type: {:.100}", key, text));
    // Empty, it would be the name, or the beginning, of every header.
    if (!name.empty()) list.emplace_back(name);
  }
  return OkStatus();
}

// PermissionDenied: the API server keeps them to itself. Unavailable: there is no answer yet.
StatusOr<FrontProxyHeaders> HeadersOf(const OwnAnswer& answer) {
  const std::string status = fmt::format("status {}", answer.status);
  if (answer.status == 403 || answer.status == 404) return absl::PermissionDeniedError(status);
  if (answer.status != 200) return Unavailable(status);
  return ParseFrontProxyHeaders(answer.body);
}

// What became of the questions so far.
class Reading {
 public:
  Reading(std::function<void(const FrontProxyHeaders&)> tell, Duration refusal_counts)
      : tell_(std::move(tell)), refusal_counts_(refusal_counts) {}

  // Returns when to ask again.
  Duration OnAnswer(const StatusOr<FrontProxyHeaders>& headers, TimePoint now) {
    if (headers.ok()) {
      said_.clear();
      refused_since_.reset();
      tell_(*headers);
      return kKnown;
    }
    if (!absl::IsPermissionDenied(headers.status())) {
      Say(headers.status());
      refused_since_.reset();
      return kUnknown;
    }
    // An API server that starts refuses everybody for a while, and has not written the ConfigMap.
    if (!refused_since_.has_value()) refused_since_ = now;
    const Duration refused = now - *refused_since_;
    if (refused >= refusal_counts_) {
      Say(headers.status());
      tell_({});
    }
    return refused >= kRefusalLasts ? kKnown : kUnknown;
  }

 private:
  // Once for each reason. That nobody can be reached, others tell.
  void Say(const Status& status) {
    std::string now(Message(status));
    if (now == said_ || absl::IsUnavailable(status)) return;
    said_ = std::move(now);
    Log(LogLevel::kWarning,
        absl::IsPermissionDenied(status)
            ? "The API server does not say by which headers it believes a front proxy: only "
              "X-Remote-* and those of --requestheader-* are kept from it"
            : "By which headers the API server believes a front proxy cannot be read: nothing is "
              "forwarded for users of certificates until it can",
        {{"configmap", "kube-system/extension-apiserver-authentication"}, {"err", said_}});
  }

  const std::function<void(const FrontProxyHeaders&)> tell_;
  const Duration refusal_counts_;
  std::string said_;
  std::optional<TimePoint> refused_since_;
};

Async<void> Read(UpstreamPool& pool, std::function<void(const FrontProxyHeaders&)> tell,
                 Duration refusal_counts) {
  Worker& worker = pool.worker();
  Signal never(worker);
  Reading reading(std::move(tell), refusal_counts);
  for (;;) {
    Duration pause = kUnknown;
    try {
      const TimePoint deadline = worker.Now() + kTimeout;
      const StatusOr<OwnAnswer> answer =
          co_await AskAsSelf(pool, "GET", std::string(kPath), std::string(), deadline);
      const StatusOr<FrontProxyHeaders> headers =
          answer.ok() ? HeadersOf(*answer) : StatusOr<FrontProxyHeaders>(answer.status());
      pause = reading.OnAnswer(headers, worker.Now());
    } catch (const std::exception& failure) {
      Log(LogLevel::kError, "Reading the front proxy's headers failed", {{"err", failure.what()}});
    }
    static_cast<void>(co_await never.Wait(worker.Now() + pause));
  }
}

}  // namespace

StatusOr<FrontProxyHeaders> ParseFrontProxyHeaders(std::string_view config_map) {
  dom::parser parser;
  dom::object data;
  dom::element root;
  if (parser.parse(simdjson::padded_string(config_map)).get(root) != simdjson::SUCCESS)
    return InvalidArgument("the ConfigMap is no JSON");
  FrontProxyHeaders headers;
  // An API server without a front proxy publishes no names.
  if (root["data"].get(data) != simdjson::SUCCESS) return headers;
  for (const dom::key_value_pair field : data) {
    std::vector<std::string>* const list =
        field.key == "requestheader-username-headers" || field.key == "requestheader-uid-headers" ||
                field.key == "requestheader-group-headers"
            ? &headers.names
        : field.key == "requestheader-extra-headers-prefix" ? &headers.prefixes
                                                            : nullptr;
    if (list == nullptr) continue;
    std::string_view text;
    if (field.value.get(text) != simdjson::SUCCESS)
      return InvalidArgument(fmt::format("{} is no text", field.key));
    WEIR_TRY(AddList(field.key, text, *list));
  }
  return headers;
}

void StartReadingFrontProxyHeaders(UpstreamPool& pool,
                                   std::function<void(const FrontProxyHeaders&)> tell,
                                   Duration refusal_counts) {
  pool.worker().Spawn(Read(pool, std::move(tell), refusal_counts));
}

}  // namespace weir
