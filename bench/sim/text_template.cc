#include "bench/sim/text_template.h"

#include <algorithm>

namespace weir::sim {

TextTemplate::TextTemplate(std::string_view text) {
  size_t begin = 0;
  for (size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    const size_t end = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ", at + 1);
    if (end == std::string_view::npos || end == at + 1 || text[end] != '@') continue;
    pieces_.push_back({text.substr(begin, at - begin), false});
    pieces_.push_back({text.substr(at + 1, end - at - 1), true});
    begin = end + 1;
    at = end;
  }
  pieces_.push_back({text.substr(begin), false});
}

std::string TextTemplate::Fill(Values values) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    if (!piece.is_place) {
      out += piece.text;
      continue;
    }
    const auto value = std::find_if(values.begin(), values.end(),
                                    [&](const auto& entry) { return entry.first == piece.text; });
    if (value != values.end()) out += value->second;
  }
  return out;
}

}  // namespace weir::sim
