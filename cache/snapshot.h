// The state of one resource at one revision: what a LIST reads.
#pragma once

#include <memory>
#include <string>

#include "cache/object_tree.h"
#include "protocol/k8s/resource.h"
#include "protocol/k8s/selectable_fields.h"

namespace weir {

// How upstream writes objects of this type. Immutable; one per cache.
struct TypeForm {
  ResourceType type;
  Encoding encoding = Encoding::kJson;
  bool custom = false;    // A custom resource, as discovery says.
  std::string list_kind;  // "PodList", as upstream's LIST says.
  bool typed_items =
      false;  // Custom resources: list items carry kind and apiVersion, keys are sorted.
  std::string
      type_prefix;  // Built-in types: `"kind":"Pod","apiVersion":"v1",`, cut from every object.
  std::shared_ptr<const SelectableFields> fields =
      std::make_shared<const SelectableFields>();  // What selectors may name.
  std::string
      warning;  // Upstream's `Warning` value lines for this type, joined by "\n"; often empty.
};

// Immutable, cheap to copy, shared between workers.
struct Snapshot {
  ObjectTree tree;
  Revision revision;
  std::shared_ptr<const TypeForm> form;
};

}  // namespace weir
