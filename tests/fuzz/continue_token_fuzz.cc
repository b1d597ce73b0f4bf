// Tokens of any bytes: decoding is safe, no start key leaves its collection, and what we write
// comes back as it was.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/k8s/continue_token.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto token = weir::ContinueToken::Decode({reinterpret_cast<const char*>(data), size});
  if (!token.ok()) return 0;
  Require(token->revision != 0);
  Require(("/" + token->start_key + "/").find("/../") == std::string::npos);
  if (token->start_key.empty()) return 0;

  const auto refreshed = weir::ContinueToken::Decode(token->Refreshed());
  Require(refreshed.ok() && refreshed->revision == -1 && refreshed->start_key == token->start_key);
  const auto next =
      weir::ContinueToken::Decode(weir::ContinueToken::Encode(token->revision, token->start_key));
  Require(next.ok() && next->revision == token->revision);
  Require(next->start_key == token->start_key + '\0');
  return 0;
}
