// A request of any target, and behind line feeds any Accept, User-Agent and Accept-Encoding:
// classification is safe, and what it serves keeps the promises that the cache relies on.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/k8s/read_request.h"

namespace {

std::string_view TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

void Require(bool holds) {
  if (!holds) std::abort();
}

// What the code that makes answers takes for granted.
void CheckNegotiation(const weir::http::RequestHead& head) {
  for (const auto verb : {weir::ReadVerb::kGet, weir::ReadVerb::kList, weir::ReadVerb::kWatch}) {
    const weir::Negotiation forms = weir::NegotiateRead(head, verb);
    for (const weir::Negotiated& one : {forms.built_in, forms.custom}) {
      Require(one.serve || one == weir::Negotiated{});
      Require(!one.pretty || (!IsProtobuf(one.form.encoding) && verb != weir::ReadVerb::kWatch));
    }
    Require(forms.built_in.form.encoding != weir::Encoding::kProtobufMetadata);
    Require(forms.custom.form.encoding != weir::Encoding::kProtobuf);
    Require(!IsProtobuf(forms.custom.form.encoding) || forms.custom.form.metadata_only);
  }
  static_cast<void>(weir::NegotiateError(head));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  weir::http::RequestHead head;
  head.method = "GET";
  head.target = TakeLine(text);
  if (!text.empty()) head.headers.Add("Accept", TakeLine(text));
  if (!text.empty()) head.headers.Add("User-Agent", TakeLine(text));
  if (!text.empty()) head.headers.Add("Accept-Encoding", TakeLine(text));
  CheckNegotiation(head);

  const auto outcome = weir::ClassifyRead(head);
  const auto* request = std::get_if<weir::ReadRequest>(&outcome);
  if (request == nullptr) return 0;
  const bool watch = request->verb == weir::ReadVerb::kWatch;
  Require(!request->resource.resource.empty() && !request->resource.version.empty());
  Require(request->verb != weir::ReadVerb::kGet || !request->name.empty());
  Require(request->forms.built_in.serve || request->forms.custom.serve);
  Require(!request->continue_token || (!watch && !request->resource_version));
  Require(request->match == weir::ReadRequest::Match::kUnset || request->resource_version);
  Require(request->timeout.count() >= 0 && request->timeout_seconds.value_or(0) >= 0);
  return 0;
}
