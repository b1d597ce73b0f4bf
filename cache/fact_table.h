// What one fact of each object of a type was when last looked at, to tell which have changed: of
// CRDs their generation, of APIServices whether another server answers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cache/object_tree.h"
#include "protocol/base/containers.h"

namespace weir {

// Thread-affine. Objects are decoded only when their revision has changed.
class FactTable {
 public:
  using Fact = int64_t (*)(const Object& object);

  explicit FactTable(Fact fact) : fact_(fact) {}

  // Takes the newest state; returns the names that are new, gone, made anew, or have another fact.
  std::vector<std::string> Update(const ObjectTree& tree);
  // Names whose fact is not 0.
  StringSet Names() const;

 private:
  struct Row {
    Revision revision;
    std::string uid;
    int64_t fact = 0;
    uint64_t round = 0;
  };

  const Fact fact_;
  StringMap<Row> rows_;
  uint64_t round_ = 0;
};

}  // namespace weir
