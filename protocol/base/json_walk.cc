#include "protocol/base/json_walk.h"

#include <algorithm>
#include <bit>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace weir {
namespace {

constexpr size_t kBlock = 64;

// One bit per byte of a block.
struct BlockMasks {
  uint64_t quotes = 0, backslashes = 0, opens = 0, closes = 0;
};

#ifdef __SSE2__

uint64_t MaskAt(__m128i equal, unsigned shift) {
  return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(equal))) << shift;
}

BlockMasks Classify(const char* bytes) {
  BlockMasks masks;
  for (unsigned i = 0; i < kBlock; i += 16) {
    const __m128i chunk = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
    // `[` and `{`, `]` and `}` differ in this bit alone.
    const __m128i folded = _mm_or_si128(chunk, _mm_set1_epi8(0x20));
    masks.quotes |= MaskAt(_mm_cmpeq_epi8(chunk, _mm_set1_epi8('"')), i);
    masks.backslashes |= MaskAt(_mm_cmpeq_epi8(chunk, _mm_set1_epi8('\\')), i);
    masks.opens |= MaskAt(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')), i);
    masks.closes |= MaskAt(_mm_cmpeq_epi8(folded, _mm_set1_epi8('}')), i);
  }
  return masks;
}

#else

BlockMasks Classify(const char* bytes) {
  BlockMasks masks;
  for (unsigned i = 0; i < kBlock; ++i) {
    const uint64_t bit = uint64_t{1} << i;
    const char folded = static_cast<char>(bytes[i] | 0x20);
    if (bytes[i] == '"') masks.quotes |= bit;
    if (bytes[i] == '\\') masks.backslashes |= bit;
    if (folded == '{') masks.opens |= bit;
    if (folded == '}') masks.closes |= bit;
  }
  return masks;
}

#endif

// Bits whose byte is escaped. `carry`: the first byte is; becomes whether the next block's first
// byte is.
uint64_t EscapedBytes(uint64_t backslashes, bool& carry) {
  uint64_t escaped = carry ? 1 : 0;
  carry = false;
  backslashes &= ~escaped;
  while (backslashes != 0) {
    const int at = std::countr_zero(backslashes);
    if (at == 63) {
      carry = true;
      break;
    }
    const uint64_t next = uint64_t{2} << at;
    escaped |= next;
    backslashes &= ~(next | (next >> 1));
  }
  return escaped;
}

// Each bit becomes the parity of itself and all lower bits: between quotes, the opening one
// included.
uint64_t PrefixParity(uint64_t bits) {
  for (unsigned shift = 1; shift < 64; shift <<= 1) bits ^= bits << shift;
  return bits;
}

bool IsScalar(std::string_view text) {
  if (text == "true" || text == "false" || text == "null") return true;
  return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

}  // namespace

size_t JsonNesting::Feed(std::string_view bytes) {
  size_t at = 0;
  for (; at + kBlock <= bytes.size(); at += kBlock) {
    if (const size_t end = Block(bytes.data() + at, kBlock); end != kNotYet) return at + end;
    if (failed_) return kNotYet;
  }
  if (at == bytes.size()) return kNotYet;
  char tail[kBlock] = {};
  std::memcpy(tail, bytes.data() + at, bytes.size() - at);
  const size_t end = Block(tail, bytes.size() - at);
  return end == kNotYet ? kNotYet : at + end;
}

size_t JsonNesting::Block(const char* bytes, size_t length) {
  BlockMasks masks = Classify(bytes);
  bool carry = escaped_;
  const uint64_t escaped = EscapedBytes(masks.backslashes, carry);
  // A partial block is the last of its piece: what follows its last byte is the next piece's first.
  escaped_ = length == kBlock ? carry : ((escaped >> length) & 1) != 0;

  const uint64_t strings =
      PrefixParity(masks.quotes & ~escaped) ^ (in_string_ ? ~uint64_t{0} : uint64_t{0});
  in_string_ = (strings >> 63) != 0;
  uint64_t opens = masks.opens & ~strings;
  uint64_t closes = masks.closes & ~strings;
  const auto opened = static_cast<uint32_t>(std::popcount(opens));
  const auto closed = static_cast<uint32_t>(std::popcount(closes));
  if (closed < depth_ && depth_ + opened <= kMaxJsonDepth) {
    depth_ += opened - closed;
    return kNotYet;
  }
  for (uint64_t brackets = opens | closes; brackets != 0; brackets &= brackets - 1) {
    const int at = std::countr_zero(brackets);
    if ((opens >> at) & 1) {
      if (++depth_ > kMaxJsonDepth) {
        failed_ = true;
        return kNotYet;
      }
    } else if (depth_ <= 1) {
      depth_ = 0;
      return static_cast<size_t>(at) + 1;
    } else {
      --depth_;
    }
  }
  return kNotYet;
}

bool JsonWalk::EnterObject() {
  if (failed_ || peek() != '{') return false;
  ++position_;
  return true;
}

bool JsonWalk::NextKey(std::string_view& key) {
  if (failed_) return false;
  // Only right behind the opening brace is the byte before the position a brace that opens.
  const bool first = position_ > 0 && text_[position_ - 1] == '{';
  if (peek() == '}') {
    ++position_;
    return false;
  }
  if (!first) {
    if (peek() != ',') {
      failed_ = true;
      return false;
    }
    ++position_;
  }
  key = String();
  if (failed_ || peek() != ':') {
    failed_ = true;
    return false;
  }
  ++position_;
  return true;
}

std::string_view JsonWalk::Skip() {
  const size_t start = position_;
  const char first = peek();
  if (failed_) return {};
  if (first == '"') {
    String();
  } else if (first == '{' || first == '[') {
    JsonNesting nesting;
    const size_t length = nesting.Feed(text_.substr(start));
    failed_ = length == JsonNesting::kNotYet;
    position_ = failed_ ? text_.size() : start + length;
  } else {
    position_ = std::min(text_.find_first_of(",}]", start), text_.size());
    failed_ = !IsScalar(text_.substr(start, position_ - start));
  }
  return failed_ ? std::string_view() : text_.substr(start, position_ - start);
}

size_t JsonWalk::StringEnd() const {
  for (size_t at = position_ + 1;; ++at) {
    at = text_.find('"', at);
    if (at == std::string_view::npos) return at;
    size_t backslashes = 0;
    while (text_[at - 1 - backslashes] == '\\') ++backslashes;
    if (backslashes % 2 == 0) return at;
  }
}

std::string_view JsonWalk::String() {
  const size_t end = failed_ || peek() != '"' ? std::string_view::npos : StringEnd();
  if (end == std::string_view::npos) {
    failed_ = true;
    return {};
  }
  const std::string_view inside = text_.substr(position_ + 1, end - position_ - 1);
  position_ = end + 1;
  return inside;
}

std::string_view JsonWalk::PlainString() {
  const std::string_view inside = String();
  if (inside.find('\\') != std::string_view::npos) failed_ = true;
  return failed_ ? std::string_view() : inside;
}

}  // namespace weir
