#include "proxy/session/http2_request.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "protocol/http/field_line.h"
#include "protocol/http/request_target.h"

namespace weir {

namespace {

// As for HTTP/1.1 (protocol/http/head.cc).
constexpr size_t kMaxMethodBytes = 32;
// Of a field line: ": " and CRLF.
constexpr size_t kLineBytes = 4;

http::HttpError Refusal(int status) {
  return {status, fmt::format("{} {}", status, http::ReasonPhrase(status))};
}

}  // namespace

void Http2RequestBuilder::Add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size() + kLineBytes;
  if (bytes_ > limits_.max_head_bytes) return;
  if (name.starts_with(':')) return AddPseudo(name, value);
  if (++fields_ > limits_.max_fields) return;
  if (!http::IsToken(name) || !http::IsFieldText(value)) return SetMalformed();
  if (name == "cookie") {
    if (!cookie_.empty()) cookie_ += "; ";
    cookie_ += value;
    return;
  }
  // As HTTP/1.1 reads it. Go's HTTP/2 trims nothing, so that ` x` is another user than `x`.
  const std::string_view trimmed = http::TrimSpace(value);
  const bool exact = trimmed.size() != value.size() && NamesSomebody(name, own_);
  head_.headers.Add(name, exact ? value : trimmed);
}

void Http2RequestBuilder::AddPseudo(std::string_view name, std::string_view value) {
  if (name == ":method") {
    head_.method = value;
  } else if (name == ":path") {
    head_.target = value;
  } else if (name == ":scheme") {
    scheme_ = value;
  } else if (name == ":authority") {
    authority_ = value;
  } else {
    SetMalformed();
  }
}

// One host, whichever field names it, and first of all as in HTTP/1.1. None at all is let through,
// as upstream does: nothing here depends on it.
bool Http2RequestBuilder::SettleAuthority() {
  if (head_.headers.Count("host") > 1) return false;
  if (const std::string* host = head_.headers.First("host"); host != nullptr) {
    if (!authority_.empty() && !http::EqualsIgnoreCase(*host, authority_)) return false;
    authority_ = *host;
    head_.headers.Remove("host");
  }
  if (authority_.empty()) return true;
  if (!http::IsValidHost(authority_)) return false;
  std::vector<http::Header>& lines = head_.headers.lines();
  lines.insert(lines.begin(), http::Header{"Host", std::move(authority_)});
  return true;
}

bool Http2RequestBuilder::SettleBody(bool end_stream) {
  using Kind = http::BodyFraming::Kind;
  const std::string* length = head_.headers.First("content-length");
  if (length == nullptr) {
    head_.body = {end_stream ? Kind::kNone : Kind::kChunked, 0};
    return true;
  }
  uint64_t value = 0;
  const char* const end = length->data() + length->size();
  const auto [parsed, error] = std::from_chars(length->data(), end, value);
  if (error != std::errc() || parsed != end || value > INT64_MAX) return false;
  if (end_stream && value > 0) return false;
  head_.body = {Kind::kLength, value};
  return true;
}

void Http2RequestBuilder::SettleFields() {
  if (!cookie_.empty()) head_.headers.Add("cookie", cookie_);
  // Go's server knows this one expectation, and over HTTP/2 overlooks all others.
  if (const std::string* expect = head_.headers.First("expect");
      expect != nullptr && !http::EqualsIgnoreCase(*expect, "100-continue")) {
    head_.headers.Remove("expect");
  }
}

std::variant<http::RequestHead, http::HttpError, Http2RequestBuilder::Malformed>
Http2RequestBuilder::Finish(bool end_stream) {
  if (malformed_) return Malformed();
  if (bytes_ > limits_.max_head_bytes || fields_ > limits_.max_fields) return Refusal(431);
  if (head_.method.size() > kMaxMethodBytes || !http::IsToken(head_.method)) return Malformed();
  if (head_.method == "CONNECT") return Refusal(405);
  if (!http::EqualsIgnoreCase(scheme_, "https") && !http::EqualsIgnoreCase(scheme_, "http"))
    return Malformed();
  if (head_.target.size() > limits_.max_target_bytes) return Refusal(414);
  if (!head_.target.starts_with('/') && head_.target != "*") return Malformed();
  if (!http::OriginForm(head_.method, head_.target, authority_).has_value()) return Malformed();
  if (!SettleAuthority() || !SettleBody(end_stream)) return Malformed();
  SettleFields();
  return std::move(head_);
}

bool Http2TrailerLimits::Admits(std::string_view name, std::string_view value,
                                const http::HeadLimits& limits) {
  bytes += name.size() + value.size() + kLineBytes;
  return ++fields <= limits.max_fields && bytes <= limits.max_head_bytes;
}

}  // namespace weir
