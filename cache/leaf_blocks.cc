#include "cache/leaf_blocks.h"

#include <utility>

namespace weir {
namespace {

template <typename AddObject>
const http::DeflatedBlocks& Ready(const ObjectTree::Leaf& leaf, ReadyForm form,
                                  http::DeflatedBlocks& spare, AddObject add) {
  if (const auto* const ready = leaf.ready().Get(form)) return *ready;
  thread_local Gather gather;
  gather.Clear();
  for (size_t i = 0; i < leaf.size(); ++i) add(leaf[i], gather);
  spare = http::Deflate(gather.pieces());
  const auto* const kept = leaf.ready().Keep(form, spare);
  return kept != nullptr ? *kept : spare;
}

}  // namespace

const http::DeflatedBlocks& LeafItems(const ObjectTree::Leaf& leaf, const Framing& framing,
                                      http::DeflatedBlocks& spare) {
  const ReadyForm form = framing.metadata_only() ? ReadyForm::kMetadataItems : ReadyForm::kItems;
  return Ready(leaf, form, spare, [&](const Object& object, Gather& gather) {
    framing.AddItem(object, /*first=*/false, gather);
  });
}

const http::DeflatedBlocks& LeafInitialEvents(const ObjectTree::Leaf& leaf, const Framing& framing,
                                              http::DeflatedBlocks& spare) {
  const ReadyForm form =
      framing.metadata_only() ? ReadyForm::kInitialMetadata : ReadyForm::kInitialEvents;
  return Ready(leaf, form, spare,
               [&](const Object& object, Gather& gather) { framing.AddInitial(object, gather); });
}

}  // namespace weir
