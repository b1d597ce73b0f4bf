// Selectors of any bytes: parsing is safe, and the canonical text does not depend on who parsed it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/k8s/continue_token.h"
#include "protocol/k8s/field_selector.h"
#include "protocol/k8s/label_selector.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto labels = weir::LabelSelector::Parse(text);
  if (labels.ok()) {
    (void)labels->Matches(weir::LabelsView(R"({"app":"web"})"));
    if (labels->Canonical() != weir::LabelSelector::Parse(text)->Canonical()) std::abort();
  }
  const auto fields = weir::FieldSelector::Parse(text);
  if (fields.ok()) (void)fields->Canonical();
  const auto token = weir::ContinueToken::Decode(text);
  if (token.ok() && token->revision == 0) std::abort();
  return 0;
}
