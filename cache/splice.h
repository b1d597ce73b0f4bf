// An object's bytes with another metadata.resourceVersion, as pieces: for the DELETED events that
// say that an object has left a selector (api-semantics 3.5). Nothing is copied but digits and, in
// protobuf, lengths.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "cache/object.h"
#include "protocol/k8s/proto_splice.h"

namespace weir {

// The pieces are views into the object and into the scratch: both must outlive them.
class RevisionSplice {
 public:
  static constexpr size_t kDigits = 20;  // Of the largest revision.
  static constexpr size_t kScratchBytes = kDigits + 2 * kSpliceScratch;

  // `scratch`: of kScratchBytes, for digits and lengths.
  RevisionSplice(const Object& object, Revision revision, char* scratch);

  // Object::rest(), and Object::metadata(), with the new revision.
  std::span<const std::string_view> Whole() const { return {whole_.data(), whole_count_}; }
  std::span<const std::string_view> Metadata() const { return {metadata_.data(), metadata_count_}; }
  size_t whole_bytes() const { return whole_bytes_; }
  size_t metadata_bytes() const { return metadata_span_.length; }

  // Where a span of the old bytes lies in the new ones.
  Span Moved(Span span) const;
  Span metadata() const { return metadata_span_; }
  Span digits() const { return digits_span_; }

 private:
  using Pieces = std::array<std::string_view, kMaxSplicePieces>;
  void SpliceJson(std::string_view digits);
  void SpliceProtobuf(std::string_view digits, char* scratch);

  const Object& object_;
  // How far what lies before the digits, and what lies behind them, is pushed on. Unsigned
  // wrap-around makes them go back.
  uint32_t before_ = 0, behind_ = 0;
  Span metadata_span_, digits_span_;
  Pieces whole_, metadata_;
  size_t whole_count_ = 0, metadata_count_ = 0, whole_bytes_ = 0;
};

}  // namespace weir
