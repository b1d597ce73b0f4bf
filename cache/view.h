// All watchers of one worker that want to see the same in the same form: matching and framing
// happen once for them.
//
// Thread-affine; owned by Dispatch. Only live watchers are listed: those that have seen everything
// so far and whose sinks can take more. The others are counted, and read the log when their turn
// comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "cache/filter.h"
#include "cache/intrusive_list.h"
#include "protocol/k8s/form.h"

namespace weir {

class CachedWatcher;
struct PlaceHook : ListHook {};
using WatcherList = IntrusiveList<CachedWatcher, PlaceHook>;

// The property of an object by which a view is found: the most selective one that its filter
// requires.
struct IndexKey {
  enum class Kind : uint8_t {
    kRest,       // No such property: every event is offered.
    kNamespace,  // first: namespace.
    kLabel,      // first: label key, second: its value.
    kField,      // first: label of a selectable field, such as spec.nodeName, second: its value.
    kName,       // first: metadata.name, in any namespace or of a cluster-scoped object.
    kObject,     // first: namespace, second: name.
  };
  static constexpr size_t kKinds = 6;

  Kind kind = Kind::kRest;
  std::string_view first, second;
  friend bool operator==(const IndexKey&, const IndexKey&) = default;
};

class View {
 public:
  static constexpr uint32_t kNoMatch = UINT32_MAX;

  View(Filter wanted, Form how) : filter(std::move(wanted)), form(how) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  const Filter filter;
  const Form form;
  WatcherList live;
  size_t watchers = 0;  // Live or not.

  // The matches of the batch that is being dispatched: a chain of indexes into FanOut's table.
  uint32_t first_match = kNoMatch;
  uint32_t last_match = kNoMatch;
  bool abandoned = false;  // To be removed after the dispatch, unless somebody joins.

 private:
  friend class Dispatch;

  IndexKey key_;          // Points into `filter`.
  View* next_ = nullptr;  // Views with the same key.
  View* previous_ = nullptr;
};

// What makes a watch of a name cheap enough to have 75,000 of them.
static_assert(sizeof(View) <= 208);

}  // namespace weir
