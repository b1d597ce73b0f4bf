#include "cache/splice.h"

#include <charconv>

namespace weir {

RevisionSplice::RevisionSplice(const Object& object, Revision revision, char* scratch)
    : object_(object) {
  const auto written = std::to_chars(scratch, scratch + kDigits, revision.value);
  const std::string_view digits(scratch, static_cast<size_t>(written.ptr - scratch));
  if (IsProtobuf(object.encoding())) {
    SpliceProtobuf(digits, scratch + kDigits);
  } else {
    SpliceJson(digits);
  }
  for (const std::string_view piece : Whole()) whole_bytes_ += piece.size();
  behind_ = static_cast<uint32_t>(whole_bytes_ - object.rest().size());
  const Span old = object.revision_digits();
  before_ = behind_ - (static_cast<uint32_t>(digits.size()) - old.length);
  metadata_span_ = object.metadata_span();
  metadata_span_.length += behind_;
  digits_span_ = {old.offset + before_, static_cast<uint32_t>(digits.size())};
}

// No length stands anywhere: three pieces.
void RevisionSplice::SpliceJson(std::string_view digits) {
  const std::string_view rest = object_.rest();
  const Span old = object_.revision_digits();
  const Span metadata = object_.metadata_span();
  const std::string_view before = rest.substr(0, old.offset);
  const size_t behind = old.offset + old.length;
  whole_ = {before, digits, rest.substr(behind)};
  metadata_ = {before.substr(metadata.offset), digits,
               rest.substr(behind, metadata.offset + metadata.length - behind)};
  whole_count_ = metadata_count_ = 3;
}

void RevisionSplice::SpliceProtobuf(std::string_view digits, char* scratch) {
  SpliceRevision(object_.rest(), object_.metadata_span(), object_.revision_digits(), digits,
                 scratch, whole_, whole_count_);
  SpliceRevision(object_.metadata(), object_.metadata_span(), object_.revision_digits(), digits,
                 scratch + kSpliceScratch, metadata_, metadata_count_);
}

Span RevisionSplice::Moved(Span span) const {
  if (span.length == 0) return span;
  span.offset += span.offset > object_.revision_digits().offset ? behind_ : before_;
  return span;
}

}  // namespace weir
