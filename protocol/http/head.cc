#include "protocol/http/head.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "protocol/http/beast_check.h"
#include "protocol/http/field_line.h"
#include "protocol/http/raw_head.h"
#include "protocol/http/request_target.h"

namespace weir::http {
namespace {

constexpr size_t kMaxMethodBytes = 32;
// Answers of API servers are small, but for many `Warning` lines; this only bounds a broken peer.
constexpr size_t kMaxResponseHeadBytes = size_t{256} << 10;
constexpr size_t kMaxResponseFields = 1024;

HttpError MakeError(int status, std::string_view reason = {}) {
  return {status, fmt::format("{} {}{}{}", status, ReasonPhrase(status), reason.empty() ? "" : ": ",
                              reason)};
}

HttpError RequestError(RawError error) {
  switch (error) {
    case RawError::kFieldValue:
      return MakeError(400, "invalid header value");
    case RawError::kTooManyFields:
      return MakeError(431);
    case RawError::kTransferCoding:
      return {501, "Unsupported transfer encoding"};
    default:
      return MakeError(400);
  }
}

HttpError ResponseError(std::string_view what) {
  return {502, fmt::format("malformed HTTP response: {}", what)};
}

std::string_view Describe(RawError error) {
  switch (error) {
    case RawError::kFieldValue:
      return "invalid header value";
    case RawError::kTooManyFields:
      return "too many header fields";
    case RawError::kContentLength:
      return "ambiguous Content-Length";
    case RawError::kTransferCoding:
      return "unsupported transfer encoding";
    default:
      return "bad line";
  }
}

struct RequestLine {
  std::string_view method, target, version;
};

std::optional<RequestLine> SplitRequestLine(std::string_view line) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return {};
  return RequestLine{line.substr(0, first), line.substr(first + 1, last - first - 1),
                     line.substr(last + 1)};
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "HTTP/1.1" and its like, of any version.
bool IsVersion(std::string_view text) {
  return text.size() == 8 && text.substr(0, 5) == "HTTP/" && IsDigit(text[5]) && text[6] == '.' &&
         IsDigit(text[7]);
}

bool IsSupportedVersion(std::string_view text) { return text == "HTTP/1.1" || text == "HTTP/1.0"; }

std::optional<HttpError> CheckRequestLine(const RequestLine& line, const HeadLimits& limits) {
  if (line.target.size() > limits.max_target_bytes) return MakeError(414);
  if (line.method.size() > kMaxMethodBytes || !IsToken(line.method)) return MakeError(400);
  if (!IsVersion(line.version)) return MakeError(400);
  if (!IsSupportedVersion(line.version)) return MakeError(505, "unsupported protocol version");
  if (line.method == "CONNECT") return MakeError(405);
  return {};
}

std::optional<HttpError> CheckHost(const HeaderList& headers) {
  const size_t hosts = headers.Count("Host");
  if (hosts == 0) return MakeError(400, "missing required Host header");
  if (hosts > 1) return MakeError(400, "too many Host headers");
  if (!IsValidHost(*headers.First("Host"))) return MakeError(400, "malformed Host header");
  return {};
}

// As Go: a trailer that is announced and would change how the message itself is framed.
bool AnnouncesFraming(const HeaderList& headers) {
  const auto frames = [](std::string_view name) {
    return EqualsIgnoreCase(name, "Content-Length") ||
           EqualsIgnoreCase(name, "Transfer-Encoding") || EqualsIgnoreCase(name, "Trailer");
  };
  for (const Header& line : headers.lines()) {
    if (!EqualsIgnoreCase(line.name, "Trailer")) continue;
    for (std::string_view rest = line.value; !rest.empty();) {
      const size_t end = std::min(rest.find(','), rest.size());
      if (frames(TrimSpace(rest.substr(0, end)))) return true;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return false;
}

BodyFraming FramingOf(const RawHead& raw) {
  if (raw.chunked) return {BodyFraming::Kind::kChunked, 0};
  if (raw.content_length) return {BodyFraming::Kind::kLength, *raw.content_length};
  return {};
}

bool HasNoBody(int status, std::string_view method) {
  return method == "HEAD" || status / 100 == 1 || status == 204 || status == 304;
}

struct StatusLine {
  int minor_version;
  int status;
  std::string_view reason;
};

std::optional<StatusLine> ParseStatusLine(std::string_view line) {
  if (line.size() < 13 || !IsSupportedVersion(line.substr(0, 8)) || line[8] != ' ' ||
      line[12] != ' ' || !std::all_of(line.begin() + 9, line.begin() + 12, IsDigit)) {
    return {};
  }
  const int status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (status < 100 || !IsFieldText(line.substr(13))) return {};
  return StatusLine{line[7] - '0', status, line.substr(13)};
}

// As Go does: whatever its source, a value never ends its line.
void AppendValue(std::string_view value, std::string& out) {
  const size_t begin = out.size();
  out += value;
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
      [](char c) { return c == '\r' || c == '\n'; }, ' ');
}

void AppendHeaders(const HeaderList& headers, std::string& out) {
  for (const Header& header : headers.lines()) {
    AppendValue(header.name, out);
    out += ": ";
    AppendValue(header.value, out);
    out += "\r\n";
  }
  out += "\r\n";
}

}  // namespace

std::optional<size_t> FindHeadEnd(std::string_view bytes, size_t searched) {
  // An empty first line, and a line that ends in a bare LF, end the head here too: the parser then
  // refuses it at once, where waiting for CRLF CRLF would wait for ever.
  if (bytes.starts_with("\r\n")) return 2;
  if (bytes.starts_with("\n")) return 1;
  size_t newline = bytes.find('\n', searched > 3 ? searched - 3 : 0);
  while (newline != std::string_view::npos) {
    const std::string_view next = bytes.substr(newline + 1, 2);
    if (next.starts_with('\n')) return newline + 2;
    if (next == "\r\n") return newline + 3;
    newline = bytes.find('\n', newline + 1);
  }
  return {};
}

std::variant<RequestHead, HttpError> ParseRequestHead(std::string_view head,
                                                      const HeadLimits& limits) {
  if (head.size() > limits.max_head_bytes) return MakeError(431);
  RawHead raw = ReadRawHead(head, limits.max_fields);
  // The request line comes first, as it would have with Go: an HTTP/2.0 preface has no fields to
  // complain about.
  const auto line = SplitRequestLine(raw.start_line);
  if (!line) return MakeError(400);
  if (auto error = CheckRequestLine(*line, limits)) return *std::move(error);
  if (raw.error != RawError::kNone) return RequestError(raw.error);
  if (auto error = CheckHost(raw.headers)) return *std::move(error);

  auto target = OriginForm(line->method, line->target, *raw.headers.First("Host"));
  if (!target) return MakeError(400);
  RequestHead request;
  request.method = line->method;
  request.target = *std::move(target);
  request.minor_version = line->version.back() - '0';
  request.body = FramingOf(raw);
  request.keep_alive = request.minor_version == 1 && !raw.close;
  request.headers = std::move(raw.headers);
  // HTTP/1.0 knows no transfer coding; servers differ in whether they take it all the same.
  if (request.minor_version == 0 && raw.transfer_encoding) return MakeError(400);
  if (raw.chunked && AnnouncesFraming(request.headers)) return MakeError(400);
  if (!BeastAgrees(head, request, line->target)) return MakeError(400);
  return request;
}

std::variant<ResponseHead, HttpError> ParseResponseHead(std::string_view head,
                                                        std::string_view method) {
  if (head.size() > kMaxResponseHeadBytes) return ResponseError("head too large");
  RawHead raw = ReadRawHead(head, kMaxResponseFields);
  if (raw.error != RawError::kNone) return ResponseError(Describe(raw.error));
  const auto line = ParseStatusLine(raw.start_line);
  if (!line) return ResponseError("bad status line");
  if (line->minor_version == 0 && raw.transfer_encoding) {
    return ResponseError("transfer encoding in HTTP/1.0");
  }
  ResponseHead response;
  response.status = line->status;
  response.reason = line->reason;
  response.minor_version = line->minor_version;
  if (!HasNoBody(response.status, method)) {
    response.body = FramingOf(raw);
    if (response.body.kind == BodyFraming::Kind::kNone) {
      response.body.kind = BodyFraming::Kind::kUntilClose;
    }
  }
  response.keep_alive = response.minor_version == 1 && !raw.close &&
                        response.body.kind != BodyFraming::Kind::kUntilClose;
  response.headers = std::move(raw.headers);
  if (!BeastAgrees(head, response, method == "HEAD")) return ResponseError("ambiguous head");
  return response;
}

void AppendRequestHead(const RequestHead& head, std::string& out) {
  // The version is the sender's own, not that of a request it passes on (RFC 9110 §2.5).
  out += head.method;
  out += ' ';
  AppendValue(head.target, out);
  out += " HTTP/1.1\r\n";
  AppendHeaders(head.headers, out);
}

void AppendResponseHead(const ResponseHead& head, std::string& out) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.{} {:03} ", head.minor_version, head.status);
  const std::string_view reason = head.reason.empty() ? ReasonPhrase(head.status) : head.reason;
  if (reason.empty()) {
    fmt::format_to(std::back_inserter(out), "status code {}", head.status);  // As Go.
  } else {
    AppendValue(reason, out);
  }
  out += "\r\n";
  AppendHeaders(head.headers, out);
}

}  // namespace weir::http
