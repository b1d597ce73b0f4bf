// Cuts a LIST body into items while it arrives: memory is one item, not one page.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "protocol/base/status.h"

namespace weir {

struct ListSummary {
  std::string kind;         // "PodList"
  std::string api_version;  // "v1"
  std::string resource_version;
  std::string continue_token;
};

// Thread-affine. Understands both key orders: built-in types (kind, apiVersion, metadata, items) and custom
// resources (sorted keys), and any other; unknown keys are skipped.
class ListReader {
 public:
  // Called for each item, in order, with MetadataScanner::kPadding readable bytes behind it. An error ends the reading.
  using OnItem = std::function<Status(std::string_view item)>;

  explicit ListReader(OnItem on_item, size_t max_item_bytes = size_t{16} << 20);

  // InvalidArgument: not a list. Errors of OnItem are passed on.
  Status Feed(std::string_view bytes);
  // After the last byte. InvalidArgument when the body ended early.
  StatusOr<ListSummary> Finish();

 private:
  enum class State : uint8_t { kStart, kKey, kColon, kValue, kItems, kItem, kAfterItem, kAfterValue, kDone };

  OnItem on_item_;
  const size_t max_item_bytes_;
  State state_ = State::kStart;
  std::string key_;
  std::string value_;  // The value or item being read.
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  ListSummary summary_;
};

}  // namespace weir
