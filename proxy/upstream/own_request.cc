#include "proxy/upstream/own_request.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "proxy/config/version.h"

namespace weir {

namespace {

constexpr size_t kMaxBody = 1 << 20;

Async<StatusOr<OwnAnswer>> Ask(UpstreamPool& pool, UpstreamConnection& connection,
                               const std::string& method, const std::string& target,
                               const std::string& body, TimePoint deadline) {
  http::RequestHead head;
  head.method = method;
  head.target = target;
  head.headers.Add("Accept", "application/json");
  if (method == "POST") {
    head.body = {http::BodyFraming::Kind::kLength, body.size()};
    head.headers.Add("Content-Type", "application/json");
  }
  head.headers.Add("User-Agent", "weir/" + std::string(Version()));
  if (const std::string token = pool.upstream().OwnAuthorization(); !token.empty()) {
    head.headers.Add("Authorization", token);
  }
  const auto left = [&] {
    return std::max(deadline - pool.worker().Now(), Duration(std::chrono::milliseconds(1)));
  };
  connection.SetDeadline(deadline);
  WEIR_CO_TRY(co_await connection.SendHead(std::move(head)));
  WEIR_CO_TRY(co_await connection.SendBody(body));
  StatusOr<http::ResponseHead> response = co_await connection.ReadHead(method, left());
  while (response.ok() && response->status < 200 && response->status != 101)
    response = co_await connection.ReadHead(method, left());
  if (!response.ok()) co_return response.status();
  if (response->status == 401) pool.upstream().DropToken();
  OwnAnswer answer;
  answer.status = response->status;
  connection.SetDeadline(deadline);
  for (;;) {
    const StatusOr<std::string_view> piece = co_await connection.ReadBody();
    if (!piece.ok()) co_return piece.status();
    if (piece->empty()) break;
    if (answer.body.size() + piece->size() > kMaxBody)
      co_return ResourceExhausted("an answer above 1 MiB to " + target);
    answer.body.append(*piece);
  }
  connection.SetDeadline(TimePoint::max());
  co_return answer;
}

}  // namespace

Async<StatusOr<OwnAnswer>> AskAsSelf(UpstreamPool& pool, std::string method, std::string target,
                                     std::string body, TimePoint deadline) {
  size_t left = pool.upstream().endpoints().count();  // Some may die meanwhile.
  for (bool fresh = false;; fresh = true) {
    StatusOr<std::unique_ptr<UpstreamConnection>> connection =
        co_await pool.Acquire(CredentialClass::kOwn, fresh);
    if (!connection.ok()) co_return connection.status();
    const bool reused = (*connection)->requests() > 0;
    StatusOr<OwnAnswer> answer = co_await Ask(pool, **connection, method, target, body, deadline);
    if (!answer.ok() && absl::IsUnavailable(answer.status())) {
      const bool elsewhere = (*connection)->abandoned() && left-- > 1;
      if (elsewhere || (!fresh && reused)) continue;
    }
    pool.Release(std::move(*connection));
    co_return answer;
  }
}

}  // namespace weir
