#include "proxy/rebalance/replica_load.h"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <optional>
#include <variant>

#include "protocol/http/head.h"

namespace weir {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kInstanceBytes = 16;
constexpr size_t kMaxDepth = 4;
// More than a process can have; a sum of many is far from the end of the type.
constexpr uint64_t kMaxConnections = 100'000'000;

bool IsInstance(std::string_view text) {
  return text.size() == 2 * kInstanceBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Status ReadConnections(std::string_view key, dom::element value, uint64_t& out) {
  if (value.get(out) != simdjson::SUCCESS || out > kMaxConnections)
    return InvalidArgument(fmt::format("{} is no number of connections", key));
  return OkStatus();
}

StatusOr<ReplicaLoad> ParseBody(std::string_view body) {
  dom::parser parser(kMaxLoadAnswer);
  dom::object root;
  if (body.empty() || parser.allocate(body.size(), kMaxDepth) != simdjson::SUCCESS ||
      parser.parse(body.data(), body.size(), true).get(root) != simdjson::SUCCESS) {
    return InvalidArgument("no JSON object");
  }
  constexpr std::array<std::string_view, 4> kKeys = {"instance", "connections", "leaving", "ready"};
  std::array<std::optional<dom::element>, kKeys.size()> values;
  for (const dom::key_value_pair field : root) {
    for (size_t i = 0; i < kKeys.size(); ++i) {
      if (field.key != kKeys[i]) continue;
      if (values[i].has_value()) return InvalidArgument(fmt::format("{} appears twice", kKeys[i]));
      values[i] = field.value;
    }
  }
  for (size_t i = 0; i < kKeys.size(); ++i)
    if (!values[i].has_value()) return InvalidArgument(fmt::format("no {}", kKeys[i]));
  ReplicaLoad load;
  std::string_view instance;
  if (values[0]->get(instance) != simdjson::SUCCESS || !IsInstance(instance))
    return InvalidArgument("instance is none");
  load.instance = instance;
  WEIR_TRY(ReadConnections(kKeys[1], *values[1], load.connections));
  WEIR_TRY(ReadConnections(kKeys[2], *values[2], load.leaving));
  if (values[3]->get(load.ready) != simdjson::SUCCESS)
    return InvalidArgument("ready is neither true nor false");
  return load;
}

}  // namespace

std::string NewInstance() {
  std::array<unsigned char, kInstanceBytes> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

std::string ToJson(const ReplicaLoad& load) {
  return fmt::format(R"({{"instance":"{}","connections":{},"leaving":{},"ready":{}}})",
                     load.instance, load.connections, load.leaving, load.ready);
}

StatusOr<ReplicaLoad> ParseLoadAnswer(std::string_view bytes) {
  if (bytes.size() > kMaxLoadAnswer) return InvalidArgument("too long");
  const std::optional<size_t> head_size = http::FindHeadEnd(bytes);
  if (!head_size.has_value()) return InvalidArgument("no whole head");
  const auto parsed = http::ParseResponseHead(bytes.substr(0, *head_size), "GET");
  if (const auto* const error = std::get_if<http::HttpError>(&parsed))
    return InvalidArgument(error->text);
  const auto& head = std::get<http::ResponseHead>(parsed);
  if (head.status != 200) return InvalidArgument(fmt::format("status {}", head.status));
  const std::string_view body = bytes.substr(*head_size);
  if (head.body.kind != http::BodyFraming::Kind::kLength || head.body.length != body.size())
    return InvalidArgument("the body has not the length that its head says");
  return ParseBody(body);
}

}  // namespace weir
