// TokenReviews and SubjectAccessReviews as JSON: the questions, and what upstream's answers mean
// (auth-and-forwarding A.5, B.3). Answers are read strictly: whatever is not plainly a yes or a no
// is neither.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/status.h"
#include "proxy/auth/identity.h"
#include "proxy/auth/review_client.h"

namespace weir {

inline constexpr const char* kTokenReviewPath = "/apis/authentication.k8s.io/v1/tokenreviews";
inline constexpr const char* kAccessReviewPath =
    "/apis/authorization.k8s.io/v1/subjectaccessreviews";
inline constexpr size_t kMaxReviewBytes = size_t{1} << 20;

std::string TokenReviewBody(std::string_view token);
std::string AccessReviewBody(const Identity& identity, const Attributes& attributes);

struct TokenAnswer {
  bool authenticated = false;
  Identity identity;  // With groups as upstream added them, and Method::kToken.
  std::string error;  // For the log.
};
struct AccessAnswer {
  bool allowed = false;
  std::string reason;
};

// Unavailable: no verdict. Too large, no such object, a field twice or of another type, a missing
// status.
StatusOr<TokenAnswer> ParseTokenReview(std::string_view body);
StatusOr<AccessAnswer> ParseAccessReview(std::string_view body);

// The body of a 200 or 201; otherwise Unavailable. Never copies upstream's text into the error.
StatusOr<std::string_view> ReviewBody(const StatusOr<ReviewAnswer>& answer);
// Whether asking again may help: no answer, 429, 500, 502, 503, 504.
bool MayRetry(const StatusOr<ReviewAnswer>& answer);

// As the API server after every success (A.9): adds system:authenticated unless the groups or the
// name forbid it.
void AddAuthenticatedGroup(Identity& identity);

}  // namespace weir
