#include "cache/event_frame.h"

#include <utility>

#include "protocol/k8s/watch_frame.h"

namespace weir {
namespace {

std::string_view RevisionDigits(const Object& object) {
  const std::string_view rest = object.rest();
  const size_t start = object.before_revision().size();
  return rest.substr(start, rest.size() - start - object.after_revision().size());
}

const std::string& HeadOf(const FrameHeads& heads, Transition transition) {
  switch (transition) {
    case Transition::kEnters:
      return heads.added;
    case Transition::kStays:
      return heads.modified;
    default:
      return heads.deleted;
  }
}

std::string Head(std::string_view prefix, const TypeForm& form) {
  return std::string(prefix) + form.type_prefix;
}

}  // namespace

Transition TransitionOf(const Filter& filter, const LogEvent& event) {
  const bool deleted = event.type == EventType::kDeleted;
  if (filter.everything()) {
    if (deleted) return Transition::kDeleted;
    return event.previous ? Transition::kStays : Transition::kEnters;
  }
  const bool before = event.previous && filter.Matches(*event.previous);
  const bool after = !deleted && filter.Matches(*event.object);
  if (after) return before ? Transition::kStays : Transition::kEnters;
  if (!before) return Transition::kNone;
  return deleted ? Transition::kDeleted : Transition::kLeaves;
}

FrameHeads::FrameHeads(const TypeForm& form)
    : added(Head(kAddedPrefix, form)),
      modified(Head(kModifiedPrefix, form)),
      deleted(Head(kDeletedPrefix, form)) {}

void FrameGather::Clear() {
  pieces_.clear();
  kept_.clear();
  bytes_ = 0;
  frames_ = 0;
}

void FrameGather::AddEvent(const FrameHeads& heads, Transition transition, const LogEvent& event) {
  Add(HeadOf(heads, transition));
  if (transition == Transition::kLeaves) {
    Add(event.previous->before_revision());
    Add(RevisionDigits(*event.object));
    Add(event.previous->after_revision());
  } else {
    Add(event.object->rest());
  }
  Add(kEventSuffix);
  ++frames_;
}

void FrameGather::AddInitial(const FrameHeads& heads, const Object& object) {
  Add(heads.added);
  Add(object.rest());
  Add(kEventSuffix);
  ++frames_;
}

void FrameGather::AddFrame(std::shared_ptr<const std::string> frame) {
  Add(*frame);
  kept_.push_back(std::move(frame));
  ++frames_;
}

size_t FrameGather::EventBytes(const FrameHeads& heads, Transition transition,
                               const LogEvent& event) {
  const Object& object = transition == Transition::kLeaves ? *event.previous : *event.object;
  // A spliced revision may be a digit longer or shorter: too little to matter for a limit.
  return HeadOf(heads, transition).size() + object.rest().size() + kEventSuffix.size();
}

size_t FrameGather::InitialBytes(const FrameHeads& heads, const Object& object) {
  return heads.added.size() + object.rest().size() + kEventSuffix.size();
}

}  // namespace weir
