// Field selectors (api-semantics 6.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/status.h"

namespace weir {

class FieldSelector {
 public:
  struct Requirement {
    std::string field;  // "metadata.name", "spec.nodeName" …; `spec.host` stays as written.
    bool equal = true;  // `=` and `==`; false: `!=`.
    std::string value;
    friend bool operator==(const Requirement&, const Requirement&) = default;
  };

  FieldSelector() = default;
  static StatusOr<FieldSelector> Parse(std::string_view text);
  // Of another's requirements(), as they are.
  static FieldSelector Of(std::vector<Requirement> requirements) {
    FieldSelector selector;
    selector.requirements_ = std::move(requirements);
    return selector;
  }

  bool empty() const { return requirements_.empty(); }
  const std::vector<Requirement>& requirements() const {
    return requirements_;
  }  // In upstream's order: terms sorted as strings.
  // The value of the first `field=value`.
  std::optional<std::string_view> RequiredValue(std::string_view field) const;
  std::string Canonical() const;

  // `value_of(field)` returns the object's value, "" where it has none.
  template <typename ValueOf>
  bool Matches(const ValueOf& value_of) const {
    for (const Requirement& r : requirements_) {
      if ((value_of(std::string_view(r.field)) == r.value) != r.equal) return false;
    }
    return true;
  }

  friend bool operator==(const FieldSelector&, const FieldSelector&) = default;

 private:
  std::vector<Requirement> requirements_;
};

}  // namespace weir
