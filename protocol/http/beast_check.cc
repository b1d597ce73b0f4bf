#include "protocol/http/beast_check.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstdint>

namespace weir::http {
namespace {

namespace beast = boost::beast;
using BeastText = beast::string_view;
using BeastError = beast::error_code;

std::string_view ToStd(BeastText text) { return {text.data(), text.size()}; }

// Parses one head and compares it, field by field, with what we read.
template <bool is_request, typename Head>
class Comparer final : public beast::http::basic_parser<is_request> {
 public:
  Comparer(const Head& head, std::string_view start) : head_(head), start_(start) {}

  // Whether all fields of our head were seen, and nothing differed.
  bool agreed() const { return agreed_ && next_ == head_.headers.lines().size(); }

 private:
  void on_request_impl(beast::http::verb, BeastText method, BeastText target, int version,
                       BeastError&) override {
    if constexpr (is_request) {
      Expect(ToStd(method) == head_.method && ToStd(target) == start_ &&
             version == 10 + head_.minor_version);
    }
  }

  void on_response_impl(int code, BeastText reason, int version, BeastError&) override {
    if constexpr (!is_request) {
      Expect(code == head_.status && ToStd(reason) == head_.reason &&
             version == 10 + head_.minor_version);
    }
  }

  void on_field_impl(beast::http::field, BeastText name, BeastText value, BeastError&) override {
    const auto& lines = head_.headers.lines();
    Expect(next_ < lines.size() && ToStd(name) == lines[next_].name &&
           ToStd(value) == lines[next_].value);
    ++next_;
  }

  void on_header_impl(BeastError&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, BeastError&) override {}
  std::size_t on_body_impl(BeastText body, BeastError&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, BeastText, BeastError&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText body, BeastError&) override {
    return body.size();
  }
  void on_finish_impl(BeastError&) override {}

  void Expect(bool same) { agreed_ = agreed_ && same; }

  const Head& head_;
  const std::string_view start_;
  std::size_t next_ = 0;
  bool agreed_ = true;
};

// Our limits have been applied already; Beast's own must not bite first.
template <typename Parser>
bool ParseWhole(Parser& parser, std::string_view bytes) {
  parser.header_limit(static_cast<std::uint32_t>(bytes.size() + 1));
  parser.body_limit(boost::none);
  BeastError error;
  const std::size_t used = parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  return (!error || error == beast::http::error::need_more) && parser.is_header_done() &&
         used == bytes.size();
}

template <typename Parser>
bool SameFraming(const Parser& parser, const BodyFraming& body) {
  const auto length = parser.content_length();
  switch (body.kind) {
    case BodyFraming::Kind::kChunked:
      return parser.chunked();
    case BodyFraming::Kind::kLength:
      return !parser.chunked() && length && *length == body.length;
    case BodyFraming::Kind::kUntilClose:
      return !parser.chunked() && !length;
    case BodyFraming::Kind::kNone:
      return true;
  }
  return false;
}

}  // namespace

bool BeastAgrees(std::string_view bytes, const RequestHead& head, std::string_view target) {
  Comparer<true, RequestHead> parser(head, target);
  if (!ParseWhole(parser, bytes) || !parser.agreed() || !SameFraming(parser, head.body)) {
    return false;
  }
  if (head.body.kind == BodyFraming::Kind::kNone && (parser.chunked() || parser.content_length())) {
    return false;
  }
  // HTTP/1.0 connections are never kept, whatever the client asks for.
  return !head.keep_alive || parser.keep_alive();
}

bool BeastAgrees(std::string_view bytes, const ResponseHead& head, bool skip_body) {
  Comparer<false, ResponseHead> parser(head, {});
  parser.skip(skip_body);
  return ParseWhole(parser, bytes) && parser.agreed() && SameFraming(parser, head.body);
}

}  // namespace weir::http
