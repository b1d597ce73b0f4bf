// Selectors, and labels, of any bytes: parsing is safe, and canonical text means what was parsed.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/k8s/field_selector.h"
#include "protocol/k8s/label_selector.h"

namespace {

using Fields = std::vector<weir::FieldSelector::Requirement>;

void Require(bool holds) {
  if (!holds) std::abort();
}

// `=` and `==` sort differently, so that the order may change.
Fields Sorted(Fields requirements) {
  std::sort(requirements.begin(), requirements.end(), [](const auto& a, const auto& b) {
    return std::tie(a.field, a.equal, a.value) < std::tie(b.field, b.equal, b.value);
  });
  return requirements;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)weir::LabelsView(text).Find("app");
  if (const auto labels = weir::LabelSelector::Parse(text); labels.ok()) {
    const auto again = weir::LabelSelector::Parse(labels->Canonical());
    Require(again.ok() && *again == *labels);
    for (const std::string_view object : {"", "{}", R"({"app":"web","tier":"5"})"}) {
      const weir::LabelsView view(object);
      Require(labels->Matches(view) == again->Matches(view));
    }
  }
  if (const auto fields = weir::FieldSelector::Parse(text); fields.ok()) {
    const auto again = weir::FieldSelector::Parse(fields->Canonical());
    Require(again.ok() && Sorted(again->requirements()) == Sorted(fields->requirements()));
  }
  return 0;
}
