#include "cache/object.h"

#include <array>
#include <cstring>
#include <limits>
#include <new>

#include "cache/splice.h"

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

static_assert(sizeof(Object) <= 64);

Object* Object::Allocate(size_t fields, size_t key_length, size_t rest_length) {
  const size_t bytes = sizeof(Object) + fields * sizeof(Span) + key_length + rest_length;
  auto* const object = new (::operator new(bytes)) Object();
  object->field_count_ = static_cast<uint8_t>(fields);
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

ObjectRef Object::Make(const ScannedObject& scanned, Encoding encoding) {
  const std::string_view space = scanned.namespace_;
  const size_t key_length = scanned.name.size() + (space.empty() ? 0 : space.size() + 1);
  Object* const object = Allocate(scanned.field_count, key_length, scanned.rest.size());
  object->encoding_ = encoding;
  object->revision_ = scanned.revision;
  object->namespace_length_ = static_cast<uint16_t>(space.size());
  object->uid_ = SpanOf(scanned.uid, scanned.rest);
  object->revision_digits_ = scanned.revision_digits;
  object->metadata_ = scanned.metadata;
  object->labels_ = scanned.labels;
  for (size_t i = 0; i < scanned.field_count; ++i) object->field_spans()[i] = scanned.fields[i];
  char* to = object->data();
  if (!space.empty()) {
    to = Append(to, space);
    *to++ = '/';
  }
  Append(Append(to, scanned.name), scanned.rest);
  return ObjectRef::Adopt(object);
}

ObjectRef Object::WithRevision(const Object& object, Revision revision) {
  std::array<char, RevisionSplice::kScratchBytes> scratch;
  const RevisionSplice splice(object, revision, scratch.data());
  Object* const copy = Allocate(object.field_count_, object.key_length_, splice.whole_bytes());
  copy->encoding_ = object.encoding_;
  copy->revision_ = revision;
  copy->namespace_length_ = object.namespace_length_;
  char* to = Append(copy->data(), object.key());
  for (const std::string_view piece : splice.Whole()) to = Append(to, piece);

  copy->uid_ = splice.Moved(object.uid_);
  copy->labels_ = splice.Moved(object.labels_);
  copy->metadata_ = splice.metadata();
  copy->revision_digits_ = splice.digits();
  for (size_t i = 0; i < object.field_count_; ++i) {
    copy->field_spans()[i] = splice.Moved(object.field_spans()[i]);
  }
  return ObjectRef::Adopt(copy);
}

std::string_view Object::key() const { return {data(), key_length_}; }

std::string_view Object::namespace_() const { return {data(), namespace_length_}; }

std::string_view Object::name() const {
  return key().substr(namespace_length_ == 0 ? 0 : namespace_length_ + 1);
}

std::string_view Object::rest() const { return {data() + key_length_, rest_length_}; }

std::string_view Object::uid() const { return uid_.In(rest()); }

size_t Object::footprint() const {
  const size_t bytes =
      sizeof(Object) + field_count_ * sizeof(Span) + key_length_ + rest_length_ + kAllocationHeader;
  return (bytes + kAllocationStep - 1) / kAllocationStep * kAllocationStep;
}

}  // namespace weir
