// An HTTP message's head as values: what sessions, the router and the upstream client exchange.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

struct Header {
  std::string name;  // As received; compared without case.
  std::string value;
  friend bool operator==(const Header&, const Header&) = default;
};

// Field lines in order of arrival. Small: look-ups are linear.
class HeaderList {
 public:
  void Add(std::string_view name, std::string_view value);
  // Replaces all lines of that name by one.
  void Set(std::string_view name, std::string_view value);
  void Remove(std::string_view name);
  // The first line's value, or null.
  const std::string* First(std::string_view name) const;
  size_t Count(std::string_view name) const;
  bool Has(std::string_view name) const { return First(name) != nullptr; }

  std::vector<Header>& lines() { return lines_; }
  const std::vector<Header>& lines() const { return lines_; }
  friend bool operator==(const HeaderList&, const HeaderList&) = default;

 private:
  std::vector<Header> lines_;
};

// ASCII only, as RFC 9110 compares field names and tokens.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

// How a message's body is delimited (RFC 9112 §6).
struct BodyFraming {
  enum class Kind : uint8_t { kNone, kLength, kChunked, kUntilClose };
  Kind kind = Kind::kNone;
  uint64_t length = 0;  // kLength only.
};

struct RequestHead {
  std::string method;
  std::string target;     // Origin form, or "*" for OPTIONS; as received, undecoded.
  int minor_version = 1;  // HTTP/1.x
  HeaderList headers;
  BodyFraming body;
  bool keep_alive = true;

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  // Without the '?'; empty where there is none.
  std::string_view query() const {
    const auto mark = target.find('?');
    return mark == std::string::npos ? std::string_view()
                                     : std::string_view(target).substr(mark + 1);
  }
};

struct ResponseHead {
  int status = 0;
  std::string reason;
  int minor_version = 1;
  HeaderList headers;
  BodyFraming body;  // For a request whose method was given to the parser.
  bool keep_alive = true;
};

// A request that is refused before it has a meaning: what Go's HTTP server would say.
struct HttpError {
  int status = 400;
  std::string text;  // Body, text/plain.
};

}  // namespace weir::http
