#include "proxy/auth/identity.h"

namespace weir {

Attributes AttributesOf(const ReadRequest& request) {
  Attributes attributes;
  attributes.resource = request.resource;
  attributes.namespace_ = request.namespace_;
  attributes.name = request.name;
  switch (request.verb) {
    case ReadVerb::kGet:
      attributes.verb = "get";  // Upstream attaches selectors to collections only.
      return attributes;
    case ReadVerb::kList:
      attributes.verb = "list";
      break;
    case ReadVerb::kWatch:
      attributes.verb = "watch";
      break;
  }
  attributes.field_selector = request.field_selector;
  attributes.label_selector = request.label_selector;
  return attributes;
}

}  // namespace weir
