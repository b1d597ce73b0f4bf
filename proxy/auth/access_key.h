// The identity of a question to the authorizer.
#pragma once

#include <string>

#include "proxy/auth/identity.h"

namespace weir {

// Equal exactly if upstream cannot tell the questions apart: all fields with their lengths, groups
// as a set, selectors with all their requirements.
std::string AccessKey(const Identity& identity, const Attributes& attributes);

// Bytes of what the caller chose: namespace, name, resource, selectors.
size_t AttributeBytes(const Attributes& attributes);

}  // namespace weir
