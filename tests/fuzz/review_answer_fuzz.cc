// Answers of TokenReview and SubjectAccessReview, and the claims of tokens: no input crashes, and
// no input that is not plainly a success becomes one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/auth/bearer_token.h"
#include "proxy/auth/review_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool says_true = text.find("true") != std::string_view::npos;
  if (const auto token = weir::ParseTokenReview(text); token.ok() && token->authenticated) {
    const weir::Identity& identity = token->identity;
    if (!says_true || identity.name.empty() || identity.name == "system:anonymous") std::abort();
    if (identity.groups.empty()) std::abort();  // At least system:authenticated.
  }
  if (const auto access = weir::ParseAccessReview(text); access.ok() && access->allowed) {
    if (!says_true) std::abort();
  }
  static_cast<void>(weir::TokenExpiry(text));
  const weir::BearerToken bearer = weir::ParseAuthorization(text);
  for (const char c : bearer.token) {
    if (c < 0x21 || c > 0x7e) std::abort();
  }
  return 0;
}
