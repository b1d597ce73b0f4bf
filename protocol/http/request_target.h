// The request target of HTTP/1.1 (RFC 9112 §3.2), narrowed to the forms that two servers cannot
// read differently.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::http {

// A host with optional port as RFC 3986 lets it look; not empty.
bool IsValidHost(std::string_view host);

// The origin form of `target` ("*" stays), or nothing where it is refused: a fragment, bytes
// outside 0x21-0x7E, a bad percent escape in the path, "*" for another method than OPTIONS, an
// absolute form for another host than `host`.
std::optional<std::string> OriginForm(std::string_view method, std::string_view target,
                                      std::string_view host);

// `path` with its %XX decoded; those that are none stay.
std::string WithoutEscapes(std::string_view path);

// Whether a server that resolves `path` (RFC 3986 §5.2.4), its escapes too, would serve another:
// it has a segment "." or "..", or does not begin with '/'.
bool HasDotSegments(std::string_view path);

}  // namespace weir::http
