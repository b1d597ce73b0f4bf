#include "protocol/k8s/continue_token.h"

#include <algorithm>
#include <optional>

#include "fmt/format.h"
#include "protocol/base/json_text.h"
#include "protocol/http/message.h"
#include "simdjson.h"

namespace weir {
namespace {

constexpr std::string_view kVersion = "meta.k8s.io/v1";
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int SixBits(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

// Left-over bits of the last character are ignored, as Go's decoder does unless it is strict.
std::optional<std::string> DecodeBase64Url(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  uint32_t bits = 0;
  int count = 0;
  size_t digits = 0;
  for (const char c : text) {
    if (c == '\r' || c == '\n') continue;
    const int value = SixBits(c);
    if (value < 0) return std::nullopt;
    ++digits;
    bits = (bits << 6 | static_cast<uint32_t>(value)) & 0xffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xff);
    }
  }
  if (digits % 4 == 1) return std::nullopt;
  return out;
}

std::string EncodeBase64Url(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() / 3 * 4 + 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xffff;
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += kAlphabet[bits >> count & 0x3f];
    }
  }
  if (count > 0) out += kAlphabet[bits << (6 - count) & 0x3f];
  return out;
}

std::string EncodeToken(int64_t revision, std::string_view start) {
  std::string json = fmt::format(R"({{"v":"{}","rv":{},"start":)", kVersion, revision);
  AppendJsonString(start, json);
  json += '}';
  return EncodeBase64Url(json);
}

// Whether Go's path.Clean would leave "/" + key as it is: what keeps a token inside its collection.
bool IsClean(std::string_view key) {
  if (key.empty()) return true;
  for (size_t begin = 0; begin <= key.size();) {
    const size_t end = std::min(key.find('/', begin), key.size());
    const std::string_view segment = key.substr(begin, end - begin);
    if (segment.empty() || segment == "." || segment == "..") return false;
    begin = end + 1;
  }
  return true;
}

struct Fields {
  std::string version;
  int64_t revision = 0;
  std::string start;
};

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

// As encoding/json fills a struct: names compare without case, null changes nothing, the last one
// wins. False: a value of the wrong type.
bool ReadField(std::string_view name, simdjson::dom::element value, Fields& fields) {
  // Go also folds letters such as U+017F to ASCII; whoever writes those may ask upstream.
  if (!IsAscii(name)) return false;
  if (value.is_null()) return true;
  const auto read_text = [&value](std::string& out) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return false;
    out = text;
    return true;
  };
  if (http::EqualsIgnoreCase(name, "v")) return read_text(fields.version);
  if (http::EqualsIgnoreCase(name, "start")) return read_text(fields.start);
  if (http::EqualsIgnoreCase(name, "rv")) {
    return value.is_int64() && value.get_int64().get(fields.revision) == simdjson::SUCCESS;
  }
  return true;
}

std::optional<Fields> ReadJson(const std::string& json) {
  // A token that does not begin so was not written by any API server. simdjson would skip a byte
  // order mark, which Go refuses.
  if (json.empty() || json.front() != '{') return std::nullopt;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(json).get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
  Fields fields;
  for (const auto field : object) {
    if (!ReadField(field.key, field.value, fields)) return std::nullopt;
  }
  return fields;
}

}  // namespace

StatusOr<ContinueToken> ContinueToken::Decode(std::string_view token) {
  const auto json = DecodeBase64Url(token);
  if (!json) return InvalidArgument("continue: not base64url");
  auto fields = ReadJson(*json);
  if (!fields) return InvalidArgument("continue: not a token's JSON");
  if (fields->version != kVersion) {
    return InvalidArgument(fmt::format("continue: unknown version \"{}\"", fields->version));
  }
  if (fields->revision == 0) return InvalidArgument("continue: no revision");
  if (fields->start.empty()) return InvalidArgument("continue: no start key");

  std::string_view start = fields->start;
  if (start.front() == '/') start.remove_prefix(1);
  if (!IsClean(start)) {
    return InvalidArgument(fmt::format("continue: start key \"{}\" is not clean", fields->start));
  }
  return ContinueToken{fields->revision, std::string(start)};
}

std::string ContinueToken::Encode(int64_t revision, std::string_view last_key, bool leading_slash) {
  std::string start = leading_slash ? "/" : "";
  start += last_key;
  start += '\0';
  return EncodeToken(revision, start);
}

std::string ContinueToken::Refreshed() const {
  return start_key.empty() ? std::string() : EncodeToken(-1, start_key);
}

}  // namespace weir
