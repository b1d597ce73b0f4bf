// Indentation of any bytes: the same in pieces as at once, and of correct JSON it changes nothing
// but the white space between tokens. The first two bytes choose the pieces.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/base/json_indent.h"
#include "simdjson.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string Minified(std::string_view text) {
  std::string out(text.size() + simdjson::SIMDJSON_PADDING, '\0');
  size_t length = 0;
  const auto error = simdjson::minify(text.data(), text.size(), out.data(), length);
  Require(error == simdjson::SUCCESS);
  out.resize(length);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 4096) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string whole = weir::IndentJson(text);

  weir::JsonIndenter indenter;
  std::string pieces;
  for (std::string_view rest = text; !rest.empty();) {
    std::string out;
    rest.remove_prefix(
        indenter.Feed(rest.substr(0, size_t{data[0]} + 1), size_t{data[1]} + 1, out));
    pieces += out;
  }
  Require(pieces == whole);

  simdjson::dom::parser parser;
  if (parser.parse(text.data(), text.size()).error() != simdjson::SUCCESS) return 0;
  Require(parser.parse(whole.data(), whole.size()).error() == simdjson::SUCCESS);
  Require(Minified(whole) == Minified(text));
  Require(weir::IndentJson(whole) == whole);
  return 0;
}
