// Objects as upstream writes them in protobuf, for tests: every string of ObjectMeta, empty or not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/k8s/proto_wire.h"

namespace weir {

struct ProtoObject {
  std::string namespace_ = "";
  std::string name = "";
  std::string uid = "";
  uint64_t revision = 0;
  std::vector<std::pair<std::string, std::string>> labels = {};
  std::string rest = "";  // The fields behind the metadata.

  std::string Metadata() const {
    std::string meta;
    AppendBytesField(meta, 1, name);
    AppendBytesField(meta, 2, "");
    AppendBytesField(meta, 3, namespace_);
    AppendBytesField(meta, 4, "");
    AppendBytesField(meta, 5, uid);
    AppendBytesField(meta, 6, std::to_string(revision));
    AppendVarintField(meta, 7, 0);
    AppendBytesField(meta, 8, "");
    for (const auto& [key, value] : labels) {
      std::string entry;
      AppendBytesField(entry, 1, key);
      AppendBytesField(entry, 2, value);
      AppendBytesField(meta, 11, entry);
    }
    return meta;
  }
  std::string Message() const {
    std::string message;
    AppendBytesField(message, 1, Metadata());
    return message + rest;
  }
};

}  // namespace weir
