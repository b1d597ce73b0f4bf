// Cuts a LIST body into items while it arrives: memory is one item, not one page.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/json_walk.h"
#include "protocol/base/status.h"
#include "protocol/k8s/form.h"

namespace weir {

struct ListSummary {
  std::string kind;         // "PodList"
  std::string api_version;  // "v1"
  std::string resource_version;
  std::string continue_token;
};

// Thread-affine; one per body.
class ListReader {
 public:
  // Called for each item, in order, with MetadataScanner::kPadding readable bytes behind it; valid
  // during the call. An error ends the reading.
  using OnItem = std::function<Status(std::string_view item)>;
  static constexpr size_t kMaxItemBytes = size_t{16} << 20;

  virtual ~ListReader() = default;
  // InvalidArgument: not a list. ResourceExhausted: an item above the limit. Errors of OnItem are
  // passed on. After an error every call returns it again.
  virtual Status Feed(std::string_view bytes) = 0;
  // After the last byte. InvalidArgument when the body ended early.
  virtual StatusOr<ListSummary> Finish() = 0;
};

std::unique_ptr<ListReader> MakeListReader(Encoding encoding, ListReader::OnItem on_item,
                                           size_t max_item_bytes = ListReader::kMaxItemBytes);

// Understands both key orders: built-in types (kind, apiVersion, metadata, items) and custom
// resources (sorted keys), and any other; unknown keys are skipped.
class JsonListReader final : public ListReader {
 public:
  explicit JsonListReader(OnItem on_item, size_t max_item_bytes = kMaxItemBytes);

  Status Feed(std::string_view bytes) override;
  StatusOr<ListSummary> Finish() override;

 private:
  // What the next byte is, or is part of. Loops: kKey … kAfterValue over members, kItem …
  // kAfterItem over items.
  enum class State : uint8_t {
    kStart,      // The opening brace.
    kKey,        // A member's key, or (first_) the closing brace.
    kInKey,      // Between a key's quotes.
    kColon,      // Behind a key.
    kValue,      // A member's value.
    kInValue,    // Inside a value other than the items: collected where it is wanted, else skipped.
    kItem,       // An item, or (first_) the closing bracket.
    kInItem,     // Inside an item.
    kAfterItem,  // A comma or the closing bracket.
    kAfterValue,  // A comma or the closing brace.
    kDone,        // Blank bytes only.
  };
  enum class ValueKind : uint8_t { kNested, kString, kScalar };

  // Each takes bytes from the front of `bytes` and sets the next state.
  Status Step(std::string_view& bytes);
  Status InKey(std::string_view& bytes);
  Status BeginValue(std::string_view& bytes);
  Status InValue(std::string_view& bytes);
  Status EndValue();
  Status BeginItem(std::string_view& bytes);
  Status InItem(std::string_view& bytes);
  // The length of the value that goes on in `bytes`, JsonNesting::kNotYet when it does not end
  // there.
  size_t ValueEnd(std::string_view bytes);
  size_t StringEnd(std::string_view bytes);
  Status Collect(std::string_view bytes);
  Status ReadMetadata();

  OnItem on_item_;
  const size_t max_item_bytes_;
  State state_ = State::kStart;
  ListSummary summary_;
  std::string key_;
  std::string value_;  // The value or item being read, as far as it has come; with capacity for the
                       // padding.
  ValueKind value_kind_ = ValueKind::kNested;
  JsonNesting nesting_;
  bool wanted_ = false;   // Collect the value.
  bool escaped_ = false;  // The string's next byte is escaped.
  bool first_ = true;     // No member, or no item, yet.
  bool items_seen_ = false;
  Status failure_;  // What Feed() returned; it goes on returning it.
};

}  // namespace weir
