// JSON trees for writes and templates: small, off the hot path, and written as Go's encoding/json
// writes them.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/status.h"

namespace weir::sim {

using Json = boost::json::value;
using JsonObject = boost::json::object;
using JsonArray = boost::json::array;

// InvalidArgument with a text for people. At most 64 levels deep.
StatusOr<Json> ParseJson(std::string_view text);

// Compact, keys in the order they have.
void AppendJson(const Json& value, std::string& out);
std::string ToText(const Json& value);

// RFC 7386.
void MergePatch(Json& target, const Json& patch);

// The value at a path of keys, or null.
const Json* Find(const Json& value, std::initializer_list<std::string_view> path);
// As above; "" where there is no string.
std::string_view TextAt(const Json& value, std::initializer_list<std::string_view> path);
// The object under `key`, made empty if it is missing or something else.
JsonObject& ObjectAt(JsonObject& parent, std::string_view key);

// Every object at every level by key, as Go writes maps.
void SortKeys(Json& value);
// `first` in front, in that order, where present; the rest as it was.
void OrderKeys(JsonObject& object, std::span<const std::string_view> first);

}  // namespace weir::sim
