#include "proxy/upstream/http2_answer.h"

#include <fmt/format.h>

#include <charconv>
#include <string>
#include <utility>

#include "protocol/http/field_line.h"
#include "protocol/http/head.h"

namespace weir {

namespace {

constexpr size_t kMaxBytes = size_t{256} << 10;
constexpr size_t kMaxFields = 1024;
constexpr size_t kLineBytes = 4;  // ": " and CRLF.

// The whole of `text`, decimal.
template <typename Number>
bool ReadNumber(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && parsed == end && !text.empty() && text.front() != '-';
}

bool HasNoBody(std::string_view method, int status) {
  return method == "HEAD" || status < 200 || status == 204 || status == 304;
}

}  // namespace

bool Http2FieldBounds::Admits(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size() + kLineBytes;
  return ++fields_ <= kMaxFields && bytes_ <= kMaxBytes;
}

void Http2AnswerBuilder::Add(std::string_view name, std::string_view value) {
  if (wrong_ != nullptr) return;
  if (!bounds_.Admits(name, value)) {
    wrong_ = "head too large";
  } else if (name == ":status") {
    if (value.size() != 3 || !ReadNumber(value, head_.status) || head_.status < 100)
      wrong_ = "bad status";
  } else if (name.starts_with(':') || !http::IsToken(name)) {
    wrong_ = "bad field name";
  } else if (!http::IsFieldText(value)) {
    wrong_ = "invalid header value";
  } else {
    head_.headers.Add(name, http::TrimSpace(value));
  }
}

StatusOr<http::ResponseHead> Http2AnswerBuilder::Finish(std::string_view method, bool end_stream) {
  using Kind = http::BodyFraming::Kind;
  if (wrong_ == nullptr && head_.status == 0) wrong_ = "no status";
  if (wrong_ == nullptr && head_.status < 200 && end_stream) wrong_ = "ends with an interim head";
  if (wrong_ == nullptr && !HasNoBody(method, head_.status)) {
    const std::string* const length = head_.headers.First("content-length");
    if (length == nullptr) {
      head_.body.kind = end_stream ? Kind::kNone : Kind::kChunked;
    } else if (ReadNumber(*length, head_.body.length)) {
      head_.body.kind = Kind::kLength;
      if (end_stream && head_.body.length > 0) wrong_ = "shorter than its Content-Length";
    } else {
      wrong_ = "bad Content-Length";
    }
  }
  if (wrong_ != nullptr) {
    return InvalidArgument(fmt::format("malformed answer of the API server: {}", wrong_));
  }
  head_.reason = std::string(http::ReasonPhrase(head_.status));
  return std::move(head_);
}

}  // namespace weir
