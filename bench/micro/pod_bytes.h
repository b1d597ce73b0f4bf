// Pods of about 2 KB in the bytes that a kube-apiserver writes, in both encodings, and the lists
// and watch frames around them.
//
// Revisions have ten digits and names have one width, so that every pod of an encoding has the same
// size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "protocol/k8s/form.h"

namespace weir::bench {

inline constexpr uint64_t kFirstRevision = 1'000'000'000;

// Pod `index` at `revision`: namespace, labels, owner, managedFields, one container, conditions.
std::string Pod(Encoding encoding, size_t index, uint64_t revision);
// The body of a LIST of the pods 0 to `count`, at `kFirstRevision`.
std::string PodList(Encoding encoding, size_t count);
// Appends the frame that says that pod `index` was modified.
void AppendModified(Encoding encoding, size_t index, uint64_t revision, std::string& out);

}  // namespace weir::bench
