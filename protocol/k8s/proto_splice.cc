#include "protocol/k8s/proto_splice.h"

#include <cassert>

#include "protocol/k8s/proto_wire.h"

namespace weir {
namespace {

// How many bytes the metadata field's own length counts.
size_t MetadataBytes(std::string_view message, Span metadata) {
  const std::string_view field = metadata.In(message);
  uint64_t length = 0;
  [[maybe_unused]] const char* const begin =
      ReadVarint(field.data() + 1, field.data() + field.size(), length);
  assert(begin != nullptr && begin + length == field.data() + field.size());
  return length;
}

class Pieces {
 public:
  Pieces(std::array<std::string_view, kMaxSplicePieces>& pieces, size_t& count)
      : pieces_(pieces), count_(count) {
    count_ = 0;
  }
  void Add(std::string_view piece) {
    if (!piece.empty()) pieces_[count_++] = piece;
  }

 private:
  std::array<std::string_view, kMaxSplicePieces>& pieces_;
  size_t& count_;
};

}  // namespace

size_t SplicedMessageBytes(std::string_view message, Span metadata, Span digits,
                           size_t new_digits) {
  const size_t old_bytes = MetadataBytes(message, metadata);
  const size_t new_bytes = old_bytes - digits.length + new_digits;
  return message.size() - BytesFieldBytes(1, old_bytes) + BytesFieldBytes(1, new_bytes);
}

void SpliceRevision(std::string_view message, Span metadata, Span digits,
                    std::string_view new_digits, char* scratch,
                    std::array<std::string_view, kMaxSplicePieces>& pieces, size_t& count) {
  Pieces out(pieces, count);
  const std::string_view after = message.substr(digits.offset + digits.length);
  if (new_digits.size() == digits.length) {
    out.Add(message.substr(0, digits.offset));
    out.Add(new_digits);
    return out.Add(after);
  }
  const size_t old_bytes = MetadataBytes(message, metadata);
  const size_t inside = metadata.offset + metadata.length - old_bytes;
  // Numbers of at most 20 digits have lengths of one byte.
  const size_t length_at = digits.offset - 1;

  char* const head_end = PutBytesHead(scratch, 1, old_bytes - digits.length + new_digits.size());
  char* const length_end = PutVarint(head_end, new_digits.size());
  out.Add(message.substr(0, metadata.offset));
  out.Add({scratch, head_end});
  out.Add(message.substr(inside, length_at - inside));
  out.Add({head_end, length_end});
  out.Add(new_digits);
  out.Add(after);
}

}  // namespace weir
