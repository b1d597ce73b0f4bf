// YAML strings as Go's yaml.v2 writes them, which is what kube-apiserver answers in.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

// Appends `text` as the value behind `key:`, with which the last line of `out` ends: a space, then
// plain, quoted or as a literal block, folded at spaces behind column 80, further lines indented by
// `indent`. Ends the line. Invalid UTF-8 becomes U+FFFD. Text with line breaks other than \n is
// quoted always, where yaml.v2 quotes some of it differently.
void AppendYamlString(std::string_view text, size_t indent, std::string& out);

// Whether yaml.v2 would read the plain scalar `text` as a string: it is no number, boolean, null,
// time or merge key.
bool IsYamlString(std::string_view text);

}  // namespace weir
