// Label selectors: parsed once, and the same value is authorised and executed (api-semantics 6.1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/status.h"
#include "protocol/k8s/labels_view.h"

namespace weir {

class LabelSelector {
 public:
  enum class Operator : uint8_t { kIn, kNotIn, kExists, kDoesNotExist, kGreaterThan, kLessThan };
  struct Requirement {
    std::string key;
    Operator op;
    std::vector<std::string>
        values;  // Sorted and unique; `=` is kIn and `!=` is kNotIn with one value.
    friend bool operator==(const Requirement&, const Requirement&) = default;
  };

  LabelSelector() = default;
  // InvalidArgument for whatever upstream refuses too (it may also be stricter: such requests are
  // forwarded).
  static StatusOr<LabelSelector> Parse(std::string_view text);
  // Of another's requirements(), as they are.
  static LabelSelector Of(std::vector<Requirement> requirements) {
    LabelSelector selector;
    selector.requirements_ = std::move(requirements);
    return selector;
  }

  bool empty() const { return requirements_.empty(); }  // Selects everything.
  const std::vector<Requirement>& requirements() const {
    return requirements_;
  }  // Sorted by key, then as written.
  bool Matches(const LabelsView& labels) const;
  // Equal requirements give equal text; part of the keys of views and verdicts.
  std::string Canonical() const;

  friend bool operator==(const LabelSelector&, const LabelSelector&) = default;

 private:
  std::vector<Requirement> requirements_;
};

}  // namespace weir
