// A text with @NAME@ places, cut once and filled many times.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::sim {

class TextTemplate {
 public:
  using Values = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // A place is `@`, upper-case letters, `@`; any other `@` is text. `text` must live on (a
  // literal).
  explicit TextTemplate(std::string_view text);
  // A place without a value stays empty.
  std::string Fill(Values values) const;

 private:
  struct Piece {
    std::string_view text;
    bool is_place;
  };
  std::vector<Piece> pieces_;
};

}  // namespace weir::sim
