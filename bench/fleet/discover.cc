#include "bench/fleet/discover.h"

#include <fmt/format.h>

#include <chrono>

#include "protocol/k8s/list_reader.h"
#include "protocol/k8s/metadata_scan.h"

namespace weir::fleet {

namespace {

constexpr Duration kTime = std::chrono::seconds(30);

Async<Status> ReadItems(UpstreamConnection& connection, std::string authorization,
                        std::string target, JsonListReader& reader) {
  http::RequestHead head;
  head.method = "GET";
  head.target = target;
  head.headers.Add("Accept", "application/json");
  head.headers.Add("User-Agent", "weir-fleet");
  if (!authorization.empty()) head.headers.Add("Authorization", authorization);
  WEIR_CO_TRY(co_await connection.SendHead(std::move(head)));
  const StatusOr<http::ResponseHead> answer = co_await connection.ReadHead("GET", kTime);
  if (!answer.ok()) co_return answer.status();
  if (answer->status != 200)
    co_return Unavailable(fmt::format("GET {}: HTTP {}", target, answer->status));
  while (!connection.body_done()) {
    const StatusOr<std::string_view> piece = co_await connection.ReadBody();
    if (!piece.ok()) co_return piece.status();
    WEIR_CO_TRY(reader.Feed(*piece));
  }
  co_return reader.Finish().status();
}

}  // namespace

Async<StatusOr<ClusterNames>> DiscoverNames(Worker& worker, Upstream& upstream) {
  StatusOr<std::unique_ptr<UpstreamConnection>> opened = co_await UpstreamConnection::Open(
      worker, upstream, CredentialClass::kOwn, 0, worker.Now() + kTime);
  if (!opened.ok()) co_return opened.status();
  UpstreamConnection& connection = **opened;
  connection.SetDeadline(worker.Now() + kTime);
  const std::string authorization = upstream.OwnAuthorization();

  ClusterNames names;
  ListReader::OnItem on_node = [&names](std::string_view item) {
    WEIR_ASSIGN_OR_RETURN(const ScannedObject object, MetadataScanner().Scan(item));
    names.nodes.emplace_back(object.name);
    return OkStatus();
  };
  JsonListReader nodes(std::move(on_node));
  WEIR_CO_TRY(co_await ReadItems(connection, authorization, "/api/v1/nodes?limit=10000", nodes));
  ListReader::OnItem on_map = [&names](std::string_view item) {
    WEIR_ASSIGN_OR_RETURN(const ScannedObject object, MetadataScanner().Scan(item));
    names.config_maps.push_back({std::string(object.namespace_), std::string(object.name)});
    return OkStatus();
  };
  JsonListReader maps(std::move(on_map));
  WEIR_CO_TRY(co_await ReadItems(connection, authorization, "/api/v1/configmaps?limit=50", maps));
  if (names.nodes.empty()) names.nodes.push_back("weir-fleet-none");
  co_return names;
}

}  // namespace weir::fleet
