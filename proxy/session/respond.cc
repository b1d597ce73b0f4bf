#include "proxy/session/respond.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <ctime>

#include "protocol/http/head.h"
#include "protocol/k8s/error_body.h"

namespace weir {

std::string HttpDate() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  const size_t length =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), length};
}

std::string RandomUuid() {
  std::array<unsigned char, 16> b{};
  RAND_bytes(b.data(), static_cast<int>(b.size()));
  b[6] = static_cast<unsigned char>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<unsigned char>((b[8] & 0x3f) | 0x80);
  std::string text;
  for (size_t i = 0; i < b.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", b[i]);
  }
  return text;
}

http::ResponseHead BeginResponse(const Exchange& exchange, int status,
                                 std::string_view content_type) {
  http::ResponseHead head;
  head.status = status;
  head.reason = std::string(http::ReasonPhrase(status));
  const std::string* audit = exchange.request().headers.First("Audit-ID");
  head.headers.Add("Audit-Id", audit != nullptr && !audit->empty() ? *audit : RandomUuid());
  head.headers.Add("Cache-Control", "no-cache, private");
  head.headers.Add("Content-Type", content_type);
  head.headers.Add("Date", HttpDate());
  return head;
}

namespace {

Async<void> SendWhole(Exchange& exchange, http::ResponseHead head, std::string body) {
  head.body = {http::BodyFraming::Kind::kLength, body.size()};
  if (!exchange.Start(std::move(head)).ok()) co_return;
  const std::string_view piece = body;
  exchange.Write(std::span(&piece, 1), piece.size());
  const http::HeaderList no_trailers;
  static_cast<void>(co_await exchange.Finish(no_trailers));
}

}  // namespace

Async<void> RespondError(Exchange& exchange, ApiError error, http::HeaderList more) {
  ErrorBody body = EncodeError(error, NegotiateError(exchange.request()));
  http::ResponseHead head = BeginResponse(exchange, error.code, body.content_type);
  if (error.code == 403) head.headers.Add("X-Content-Type-Options", "nosniff");
  if (error.details.retry_after_seconds > 0) {
    head.headers.Add("Retry-After", std::to_string(error.details.retry_after_seconds));
  }
  for (const http::Header& line : more.lines()) head.headers.Add(line.name, line.value);
  co_await SendWhole(exchange, std::move(head), std::move(body.bytes));
}

Async<void> RespondTooManyRequests(Exchange& exchange) {
  http::ResponseHead head = BeginResponse(exchange, 429, "text/plain; charset=utf-8");
  head.headers.Add("Retry-After", "1");
  head.headers.Add("X-Content-Type-Options", "nosniff");
  std::string text = "Too many requests, please try again later.\n";
  co_await SendWhole(exchange, std::move(head), std::move(text));
}

Async<void> RespondText(Exchange& exchange, int status, std::string text) {
  http::ResponseHead head;
  head.status = status;
  head.reason = std::string(http::ReasonPhrase(status));
  head.headers.Add("Content-Type", "text/plain; charset=utf-8");
  head.headers.Add("Connection", "close");
  head.keep_alive = false;
  co_await SendWhole(exchange, std::move(head), std::move(text));
}

}  // namespace weir
