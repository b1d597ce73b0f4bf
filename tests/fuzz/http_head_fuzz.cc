// Heads of requests and answers: what is accepted is found whole, and survives being written and
// read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/http/head.h"

namespace {

using namespace weir::http;

void Require(bool holds) {
  if (!holds) std::abort();
}

bool SameHeaders(const HeaderList& a, const HeaderList& b) {
  if (a.lines().size() != b.lines().size()) return false;
  for (size_t i = 0; i < a.lines().size(); ++i) {
    if (a.lines()[i].name != b.lines()[i].name || a.lines()[i].value != b.lines()[i].value) {
      return false;
    }
  }
  return true;
}

bool SameBody(const BodyFraming& a, const BodyFraming& b) {
  return a.kind == b.kind && a.length == b.length;
}

void CheckRequest(std::string_view bytes) {
  const auto parsed = ParseRequestHead(bytes, {});
  const auto* head = std::get_if<RequestHead>(&parsed);
  if (head == nullptr) {
    const int status = std::get<HttpError>(parsed).status;
    Require(status >= 400 && status <= 505);
    return;
  }
  Require(FindHeadEnd(bytes) == bytes.size());
  Require(head->target == "*" || head->target.starts_with('/'));
  std::string written;
  AppendRequestHead(*head, written);
  const auto again = ParseRequestHead(written, {.max_head_bytes = size_t{1} << 30});
  const auto* second = std::get_if<RequestHead>(&again);
  Require(second != nullptr && second->method == head->method && second->target == head->target);
  Require(SameHeaders(second->headers, head->headers) && SameBody(second->body, head->body));
}

void CheckResponse(std::string_view bytes, std::string_view method) {
  const auto parsed = ParseResponseHead(bytes, method);
  const auto* head = std::get_if<ResponseHead>(&parsed);
  if (head == nullptr) return;
  Require(FindHeadEnd(bytes) == bytes.size());
  std::string written;
  AppendResponseHead(*head, written);
  const auto again = ParseResponseHead(written, method);
  const auto* second = std::get_if<ResponseHead>(&again);
  Require(second != nullptr && second->status == head->status);
  Require(SameHeaders(second->headers, head->headers) && SameBody(second->body, head->body));
}

// A growing buffer gives the same end as the whole one.
void CheckHeadEnd(std::string_view bytes) {
  const auto whole = FindHeadEnd(bytes);
  for (size_t had = 0; had <= bytes.size() && had < 512; ++had) {
    const auto end = FindHeadEnd(bytes.substr(0, had), had > 0 ? had - 1 : 0);
    if (!end) continue;
    Require(end == whole);
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckRequest(bytes);
  CheckResponse(bytes, "GET");
  CheckResponse(bytes, "HEAD");
  CheckHeadEnd(bytes);
  return 0;
}
