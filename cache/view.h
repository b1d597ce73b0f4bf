// All watchers of one worker that want to see the same in the same form: matching and framing
// happen once for them.
//
// Thread-affine; owned by Dispatch. Only live watchers are listed: those that have seen everything
// so far and whose sinks can take more. The others are counted, and read the log when their turn
// comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

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

// Most views are of one object by its name, and have one watcher: kubelets make one for each
// ConfigMap of each pod. These keep the key alone, behind the view in one allocation; to match is
// to have that key.
class View {
 public:
  static constexpr uint32_t kNoMatch = UINT32_MAX;

  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() = default;
  // What Make() allocated is larger than a View.
  static void operator delete(void* memory) { ::operator delete(memory); }

  // As its filter: see filter.h.
  bool everything() const { return filtered_ && filtered_->filter.everything(); }
  bool Matches(const Object& object) const;

  const Form form;
  bool abandoned = false;  // To be removed after the dispatch, unless somebody joins.
  uint32_t watchers = 0;   // Live or not.
  // The matches of the batch that is being dispatched: a chain of indexes into FanOut's table.
  uint32_t first_match = kNoMatch;
  uint32_t last_match = kNoMatch;
  WatcherList live;

 private:
  friend class Dispatch;

  // A filter that is more than a name.
  struct Filtered {
    Filter filter;
    IndexKey key;  // Points into `filter`.
  };

  // One of `filter`; where it is a name only, `key` is it.
  static View* Make(const Filter& filter, const IndexKey& key, Form form);
  explicit View(Form how) : form(how) {}

  IndexKey key() const;
  // Whether it is the view of that filter, whose key this is.
  bool IsOf(const Filter& filter, const IndexKey& key, Form how) const;
  char* text() { return reinterpret_cast<char*>(this + 1); }
  std::string_view text(size_t at, size_t length) const {
    return {reinterpret_cast<const char*>(this + 1) + at, length};
  }

  std::unique_ptr<Filtered> filtered_;  // Null: by name; its key's parts stand behind the view.
  uint16_t first_length_ = 0, second_length_ = 0;
  View* next_ = nullptr;  // Views with the same key.
  View* previous_ = nullptr;
};

// What makes a watch of a name cheap enough to have a million of them.
static_assert(sizeof(View) <= 64);

}  // namespace weir
