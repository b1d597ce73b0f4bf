#include "cache/fact_table.h"

namespace weir {

std::vector<std::string> FactTable::Update(const ObjectTree& tree) {
  std::vector<std::string> changed;
  ++round_;
  for (ObjectTree::Cursor cursor = tree.Begin(); cursor.Valid(); cursor.Next()) {
    const Object& object = *cursor;
    const auto [found, fresh] = rows_.try_emplace(std::string(object.name()));
    Row& row = found->second;
    row.round = round_;
    if (!fresh && row.revision == object.revision()) continue;
    row.revision = object.revision();
    const int64_t fact = fact_(object);
    if (fresh || row.fact != fact || row.uid != object.uid()) changed.emplace_back(object.name());
    row.fact = fact;
    row.uid = object.uid();
  }
  absl::erase_if(rows_, [&](const auto& entry) {
    const bool gone = entry.second.round != round_;
    if (gone) changed.push_back(entry.first);
    return gone;
  });
  return changed;
}

StringSet FactTable::Names() const {
  StringSet names;
  for (const auto& [name, row] : rows_) {
    if (row.fact != 0) names.insert(name);
  }
  return names;
}

}  // namespace weir
