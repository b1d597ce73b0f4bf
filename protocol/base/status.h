// Errors as values: Status and StatusOr of Abseil under our names, and the macros that pass them
// on.
//
// Canonical codes as used in Weir:
//   InvalidArgument     bytes from outside that do not parse; the message names the field and the
//   value NotFound            no such object, file or key OutOfRange          a revision older than
//   what is kept (HTTP 410) FailedPrecondition  an order that does not hold: replayed or reordered
//   input, a wrong state ResourceExhausted   a bound is reached (HTTP 429) Unavailable         the
//   peer cannot be reached or failed; may be tried again (HTTP 503) DeadlineExceeded    time is up
//   (HTTP 504) Cancelled           whoever asked is gone Unauthenticated, PermissionDenied   as in
//   HTTP 401 and 403 Internal            a defect of ours
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir {

using Status = absl::Status;
template <typename T>
using StatusOr = absl::StatusOr<T>;

inline Status OkStatus() { return absl::OkStatus(); }

// The package's absl::string_view is not std::string_view; these take and give the standard one.
inline Status MakeStatus(absl::StatusCode code, std::string_view message) {
  return Status(code, absl::string_view(message.data(), message.size()));
}
inline std::string_view Message(const Status& status) {
  return {status.message().data(), status.message().size()};
}
inline Status InvalidArgument(std::string_view message) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, message);
}
inline Status NotFound(std::string_view message) {
  return MakeStatus(absl::StatusCode::kNotFound, message);
}
inline Status OutOfRange(std::string_view message) {
  return MakeStatus(absl::StatusCode::kOutOfRange, message);
}
inline Status FailedPrecondition(std::string_view message) {
  return MakeStatus(absl::StatusCode::kFailedPrecondition, message);
}
inline Status ResourceExhausted(std::string_view message) {
  return MakeStatus(absl::StatusCode::kResourceExhausted, message);
}
inline Status Unavailable(std::string_view message) {
  return MakeStatus(absl::StatusCode::kUnavailable, message);
}
inline Status DeadlineExceeded(std::string_view message) {
  return MakeStatus(absl::StatusCode::kDeadlineExceeded, message);
}
inline Status Cancelled(std::string_view message) {
  return MakeStatus(absl::StatusCode::kCancelled, message);
}
inline Status Internal(std::string_view message) {
  return MakeStatus(absl::StatusCode::kInternal, message);
}

}  // namespace weir

#define WEIR_CONCAT_INNER(a, b) a##b
#define WEIR_CONCAT(a, b) WEIR_CONCAT_INNER(a, b)

// Returns the error of a Status expression to the caller.
#define WEIR_TRY(expression)                                            \
  do {                                                                  \
    if (::weir::Status weir_status = (expression); !weir_status.ok()) { \
      return weir_status;                                               \
    }                                                                   \
  } while (false)

// As WEIR_TRY, in a coroutine.
#define WEIR_CO_TRY(expression)                                         \
  do {                                                                  \
    if (::weir::Status weir_status = (expression); !weir_status.ok()) { \
      co_return weir_status;                                            \
    }                                                                   \
  } while (false)

// Declares or assigns `target` from a StatusOr expression, or returns its error.
#define WEIR_ASSIGN_OR_RETURN(target, expression) \
  WEIR_ASSIGN_OR_RETURN_INNER(WEIR_CONCAT(weir_or_, __LINE__), target, expression)
#define WEIR_ASSIGN_OR_RETURN_INNER(holder, target, expression) \
  auto holder = (expression);                                   \
  if (!holder.ok()) return holder.status();                     \
  target = std::move(holder).value()

#define WEIR_CO_ASSIGN_OR_RETURN(target, expression) \
  WEIR_CO_ASSIGN_OR_RETURN_INNER(WEIR_CONCAT(weir_or_, __LINE__), target, expression)
#define WEIR_CO_ASSIGN_OR_RETURN_INNER(holder, target, expression) \
  auto holder = (expression);                                      \
  if (!holder.ok()) co_return holder.status();                     \
  target = std::move(holder).value()
