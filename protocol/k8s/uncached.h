// The types that kube-apiserver keeps no watch cache for, and answers from etcd itself
// (DefaultWatchCacheSizes in pkg/kubeapiserver/default_storage_factory_builder.go). Visible of it:
// no bookmarks but the one that ends initial events, a `limit` that holds at revision 0, continue
// tokens without a leading slash, revisions from the future refused at once, and several objects
// that change at one revision, since etcd ends a lease's keys together.
#pragma once

#include "protocol/k8s/resource.h"

namespace weir {

inline bool IsUncachedUpstream(const ResourceId& id) {
  return id.resource == "events" && (id.group.empty() || id.group == "events.k8s.io");
}

}  // namespace weir
