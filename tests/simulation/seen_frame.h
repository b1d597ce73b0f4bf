// What a client of the simulation reads of a watch's frame, in any encoding, by its own reading:
// not the scanner's that is under test.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "protocol/k8s/proto_watch_frame.h"
#include "protocol/k8s/proto_wire.h"
#include "protocol/k8s/watch_frame.h"

namespace weir::simulation {

struct SeenFrame {
  FrameType type = FrameType::kError;
  std::string kind, key, uid;
  uint64_t revision = 0;
  bool initial_events_end = false;
  int code = 0;  // Of an ERROR.

  static SeenFrame Of(const WatchFrame& frame, Encoding encoding) {
    SeenFrame seen;
    seen.type = frame.type;
    const bool protobuf = IsProtobuf(encoding);
    if (frame.type == FrameType::kError) {
      seen.code = (protobuf ? ReadProtobufStatus(frame.object) : ReadStatus(frame.object)).code;
      return seen;
    }
    seen.initial_events_end = frame.object.find("initial-events-end") != frame.object.npos;
    seen.kind = protobuf ? std::string(frame.kind) : Value(frame.object, "kind");
    protobuf ? seen.ReadProtobuf(frame.object) : seen.ReadJson(frame.object);
    return seen;
  }

 private:
  void SetKey(std::string_view name_space, std::string_view name) {
    key = name_space.empty() ? std::string(name) : fmt::format("{}/{}", name_space, name);
  }

  static std::string Value(std::string_view json, std::string_view key) {
    const std::string quoted = fmt::format("\"{}\":\"", key);
    const size_t at = json.find(quoted);
    if (at == std::string_view::npos) return "";
    const size_t begin = at + quoted.size();
    return std::string(json.substr(begin, json.find('"', begin) - begin));
  }

  void ReadJson(std::string_view object) {
    const std::string_view metadata =
        object.substr(std::min(object.find("\"metadata\":"), object.size()));
    SetKey(Value(metadata, "namespace"), Value(metadata, "name"));
    uid = Value(metadata, "uid");
    revision = std::stoull("0" + Value(metadata, "resourceVersion"));
  }

  // ObjectMeta: name 1, namespace 3, uid 5, resourceVersion 6.
  void ReadProtobuf(std::string_view message) {
    ProtoReader object(message);
    ProtoField metadata;
    if (!object.Next(metadata) || metadata.number != 1) return;
    std::string name_space, name;
    ProtoReader reader(metadata.bytes);
    for (ProtoField field; reader.Next(field);) {
      if (field.number == 1) name = field.bytes;
      if (field.number == 3) name_space = field.bytes;
      if (field.number == 5) uid = field.bytes;
      if (field.number == 6) revision = std::stoull("0" + std::string(field.bytes));
    }
    SetKey(name_space, name);
  }
};

}  // namespace weir::simulation
