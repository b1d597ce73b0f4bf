#include "cache/object.h"

#include <array>
#include <charconv>
#include <cstring>
#include <new>

namespace weir {
namespace {

// glibc's chunk: a word in front, and sizes in steps of 16 bytes.
constexpr size_t kAllocationHeader = 8;
constexpr size_t kAllocationStep = 16;

char* Append(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

Span SpanOf(std::string_view part, std::string_view whole) {
  if (part.empty()) return {};
  return {static_cast<uint32_t>(part.data() - whole.data()), static_cast<uint32_t>(part.size())};
}

}  // namespace

Object* Object::Allocate(size_t key_length, size_t rest_length) {
  auto* const object = new (::operator new(sizeof(Object) + key_length + rest_length)) Object();
  object->key_length_ = static_cast<uint32_t>(key_length);
  object->rest_length_ = static_cast<uint32_t>(rest_length);
  return object;
}

void Object::Unref() const {
  if (!count_.Decrement()) return;
  auto* const self = const_cast<Object*>(this);
  self->~Object();
  ::operator delete(self);
}

ObjectRef Object::Make(const ScannedObject& scanned) {
  const std::string_view space = scanned.namespace_;
  const size_t key_length = scanned.name.size() + (space.empty() ? 0 : space.size() + 1);
  Object* const object = Allocate(key_length, scanned.rest.size());
  object->revision_ = scanned.revision;
  object->namespace_length_ = static_cast<uint32_t>(space.size());
  object->uid_ = SpanOf(scanned.uid, scanned.rest);
  object->revision_digits_ = scanned.revision_digits;
  object->metadata_ = scanned.metadata;
  object->labels_ = scanned.labels;
  object->node_name_ = scanned.fields[0];

  char* to = const_cast<char*>(object->data());
  if (!space.empty()) to = Append(Append(to, space), "/");
  Append(Append(to, scanned.name), scanned.rest);
  return ObjectRef::Adopt(object);
}

ObjectRef Object::WithRevision(const Object& object, Revision revision) {
  std::array<char, 20> buffer;
  const auto written = std::to_chars(buffer.begin(), buffer.end(), revision.value);
  const std::string_view digits(buffer.data(), static_cast<size_t>(written.ptr - buffer.data()));

  const std::string_view before = object.before_revision();
  const std::string_view after = object.after_revision();
  Object* const copy = Allocate(object.key_length_, before.size() + digits.size() + after.size());
  copy->revision_ = revision;
  copy->namespace_length_ = object.namespace_length_;
  char* const to = Append(const_cast<char*>(copy->data()), object.key());
  Append(Append(Append(to, before), digits), after);

  // Unsigned wrap-around makes the addition of a smaller length a subtraction.
  const auto grown = static_cast<uint32_t>(digits.size()) - object.revision_digits_.length;
  const auto moved = [&](Span span) {
    if (span.offset > object.revision_digits_.offset) span.offset += grown;
    return span;
  };
  copy->uid_ = moved(object.uid_);
  copy->labels_ = moved(object.labels_);
  copy->node_name_ = moved(object.node_name_);
  copy->metadata_ = object.metadata_;
  copy->metadata_.length += grown;
  copy->revision_digits_ = {object.revision_digits_.offset, static_cast<uint32_t>(digits.size())};
  return ObjectRef::Adopt(copy);
}

std::string_view Object::key() const { return {data(), key_length_}; }

std::string_view Object::namespace_() const { return {data(), namespace_length_}; }

std::string_view Object::name() const {
  return key().substr(namespace_length_ == 0 ? 0 : namespace_length_ + 1);
}

std::string_view Object::rest() const { return {data() + key_length_, rest_length_}; }

std::string_view Object::uid() const { return uid_.In(rest()); }

std::string_view Object::labels_json() const { return labels_.In(rest()); }

LabelsView Object::labels() const { return LabelsView(labels_json()); }

std::string_view Object::node_name() const { return node_name_.In(rest()); }

std::string_view Object::metadata() const { return metadata_.In(rest()); }

std::string_view Object::before_revision() const {
  return rest().substr(0, revision_digits_.offset);
}

std::string_view Object::after_revision() const {
  return rest().substr(revision_digits_.offset + revision_digits_.length);
}

size_t Object::footprint() const {
  const size_t bytes = sizeof(Object) + key_length_ + rest_length_ + kAllocationHeader;
  return (bytes + kAllocationStep - 1) / kAllocationStep * kAllocationStep;
}

}  // namespace weir
