#include "bench/sim/json_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cmath>
#include <iterator>
#include <vector>

#include "protocol/base/json_text.h"

namespace weir::sim {
namespace {

std::string_view ToStd(boost::json::string_view text) { return {text.data(), text.size()}; }

void AppendDouble(double number, std::string& out) {
  if (std::isfinite(number)) {
    fmt::format_to(std::back_inserter(out), "{}", number);
  } else {
    out += "null";
  }
}

void AppendObject(const JsonObject& object, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& member : object) {
    if (!first) out += ',';
    first = false;
    AppendJsonString(ToStd(member.key()), out);
    out += ':';
    AppendJson(member.value(), out);
  }
  out += '}';
}

void AppendArray(const JsonArray& array, std::string& out) {
  out += '[';
  bool first = true;
  for (const Json& item : array) {
    if (!first) out += ',';
    first = false;
    AppendJson(item, out);
  }
  out += ']';
}

void SortObject(JsonObject& object) {
  std::vector<std::string> keys;
  for (auto& member : object) {
    SortKeys(member.value());
    keys.emplace_back(ToStd(member.key()));
  }
  std::sort(keys.begin(), keys.end());
  const std::vector<std::string_view> order(keys.begin(), keys.end());
  OrderKeys(object, order);
}

}  // namespace

StatusOr<Json> ParseJson(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = 64;
  boost::system::error_code error;
  Json value = boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return InvalidArgument(fmt::format("invalid JSON: {}", error.message()));
  return value;
}

void AppendJson(const Json& value, std::string& out) {
  switch (value.kind()) {
    case boost::json::kind::null:
      out += "null";
      return;
    case boost::json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      return;
    case boost::json::kind::int64:
      out += std::to_string(value.get_int64());
      return;
    case boost::json::kind::uint64:
      out += std::to_string(value.get_uint64());
      return;
    case boost::json::kind::double_:
      AppendDouble(value.get_double(), out);
      return;
    case boost::json::kind::string:
      AppendJsonString({value.get_string().data(), value.get_string().size()}, out);
      return;
    case boost::json::kind::array:
      AppendArray(value.get_array(), out);
      return;
    case boost::json::kind::object:
      AppendObject(value.get_object(), out);
      return;
  }
}

std::string ToText(const Json& value) {
  std::string out;
  AppendJson(value, out);
  return out;
}

void MergePatch(Json& target, const Json& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target.emplace_object();
  JsonObject& object = target.get_object();
  for (const auto& member : patch.get_object()) {
    if (member.value().is_null()) {
      object.stable_erase(member.key());
    } else {
      MergePatch(object[member.key()], member.value());
    }
  }
}

const Json* Find(const Json& value, std::initializer_list<std::string_view> path) {
  const Json* at = &value;
  for (const std::string_view key : path) {
    const JsonObject* object = at->if_object();
    at = object != nullptr ? object->if_contains({key.data(), key.size()}) : nullptr;
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string_view TextAt(const Json& value, std::initializer_list<std::string_view> path) {
  const Json* found = Find(value, path);
  if (found == nullptr || !found->is_string()) return {};
  return {found->get_string().data(), found->get_string().size()};
}

JsonObject& ObjectAt(JsonObject& parent, std::string_view key) {
  Json& value = parent[boost::json::string_view(key.data(), key.size())];
  if (!value.is_object()) value.emplace_object();
  return value.get_object();
}

void SortKeys(Json& value) {
  if (value.is_object()) SortObject(value.get_object());
  if (value.is_array()) {
    for (Json& item : value.get_array()) SortKeys(item);
  }
}

void OrderKeys(JsonObject& object, std::span<const std::string_view> first) {
  JsonObject ordered;
  ordered.reserve(object.size());
  for (const std::string_view key : first) {
    if (Json* value = object.if_contains({key.data(), key.size()})) {
      ordered.emplace(boost::json::string_view(key.data(), key.size()), std::move(*value));
    }
  }
  for (auto& member : object) {
    if (!ordered.contains(member.key())) ordered.emplace(member.key(), std::move(member.value()));
  }
  object = std::move(ordered);
}

}  // namespace weir::sim
