#include "protocol/http/message.h"

#include <algorithm>

namespace weir::http {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return Lower(x) == Lower(y); });
}

void HeaderList::Add(std::string_view name, std::string_view value) {
  lines_.push_back({std::string(name), std::string(value)});
}

void HeaderList::Set(std::string_view name, std::string_view value) {
  // Built first: `name` or `value` may be a view of a line that goes away.
  Header line{std::string(name), std::string(value)};
  const auto first = std::find_if(lines_.begin(), lines_.end(), [&](const Header& header) {
    return EqualsIgnoreCase(header.name, line.name);
  });
  if (first == lines_.end()) {
    lines_.push_back(std::move(line));
    return;
  }
  const auto rest = std::remove_if(first + 1, lines_.end(), [&](const Header& header) {
    return EqualsIgnoreCase(header.name, line.name);
  });
  lines_.erase(rest, lines_.end());
  *first = std::move(line);
}

void HeaderList::Remove(std::string_view name) {
  const std::string key(name);
  std::erase_if(lines_, [&](const Header& header) { return EqualsIgnoreCase(header.name, key); });
}

const std::string* HeaderList::First(std::string_view name) const {
  for (const Header& header : lines_) {
    if (EqualsIgnoreCase(header.name, name)) return &header.value;
  }
  return nullptr;
}

size_t HeaderList::Count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(lines_.begin(), lines_.end(), [&](const Header& header) {
    return EqualsIgnoreCase(header.name, name);
  }));
}

}  // namespace weir::http
