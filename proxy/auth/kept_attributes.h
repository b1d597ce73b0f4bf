// Attributes in one piece of memory, about a hundred bytes: for what asks about them now and then.
//
// Immutable.
#pragma once

#include <memory>

#include "proxy/auth/identity.h"

namespace weir {

class KeptAttributes {
 public:
  explicit KeptAttributes(const Attributes& attributes);

  // Equal to those it was made of.
  Attributes Unpack() const;

 private:
  std::unique_ptr<const char[]> packed_;
};

}  // namespace weir
