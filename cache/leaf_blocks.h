// A leaf of a tree as gzip blocks, in one of the forms of its cache.
#pragma once

#include "cache/framing.h"
#include "cache/object_tree.h"
#include "cache/ready_blocks.h"

namespace weir {

// All objects of `leaf` as items of a LIST behind others, or as initial events. Made where they are
// not ready yet: 64 objects at 1.5 GB/s. `spare` takes them where they are not to be kept. Valid as
// long as the leaf's tree, and `spare`, are left alone.
const http::DeflatedBlocks& LeafItems(const ObjectTree::Leaf& leaf, const Framing& framing,
                                      http::DeflatedBlocks& spare);
const http::DeflatedBlocks& LeafInitialEvents(const ObjectTree::Leaf& leaf, const Framing& framing,
                                              http::DeflatedBlocks& spare);

}  // namespace weir
