// Doubly linked lists whose links lie in the elements: an element leaves its list when it is
// destroyed, also while somebody takes the list apart, and nothing is ever allocated.
//
//   struct PlaceHook : ListHook {};
//   class Watcher : public PlaceHook {…};
//   IntrusiveList<Watcher, PlaceHook> live;
//
// Thread-affine. An element is in at most one list per hook.
#pragma once

namespace weir {

struct ListHook {
  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { Unlink(); }

  bool linked() const { return next != nullptr; }
  void Unlink() {
    if (!linked()) return;
    prev->next = next;
    next->prev = prev;
    prev = next = nullptr;
  }

  ListHook* prev = nullptr;
  ListHook* next = nullptr;
};

template <typename T, typename Hook>
class IntrusiveList {
 public:
  IntrusiveList() { end_.prev = end_.next = &end_; }
  ~IntrusiveList() {
    while (!empty()) end_.next->Unlink();
  }

  bool empty() const { return end_.next == &end_; }
  T& Front() { return Element(end_.next); }

  // Moves the element here from whatever list its hook is in.
  void PushBack(T& element) {
    Hook& hook = element;
    hook.Unlink();
    hook.prev = end_.prev;
    hook.next = &end_;
    end_.prev->next = &hook;
    end_.prev = &hook;
  }

  // Moves all elements of `other` to the end of this list. O(1).
  void TakeAll(IntrusiveList& other) {
    if (other.empty()) return;
    other.end_.next->prev = end_.prev;
    end_.prev->next = other.end_.next;
    other.end_.prev->next = &end_;
    end_.prev = other.end_.prev;
    other.end_.prev = other.end_.next = &other.end_;
  }

  // `visit` may unlink its own argument, and no other element.
  template <typename Visit>
  void ForEach(Visit&& visit) {
    for (ListHook* hook = end_.next; hook != &end_;) {
      ListHook* const next = hook->next;
      visit(Element(hook));
      hook = next;
    }
  }

 private:
  static T& Element(ListHook* hook) { return static_cast<T&>(static_cast<Hook&>(*hook)); }

  ListHook end_;
};

}  // namespace weir
