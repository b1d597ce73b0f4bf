// Hashes whose values an outsider cannot foresee: for tables whose keys clients choose, and for
// tokens.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// SipHash-2-4 under a key of this process, or under a given one.
uint64_t SipHash(std::string_view bytes, uint64_t key0, uint64_t key1);

// A transparent hasher for containers with string keys.
struct KeyedHash {
  using is_transparent = void;
  size_t operator()(std::string_view key) const;
};

// HMAC-SHA256 under 32 random bytes of its own. Thread-safe after construction.
class Hmac {
 public:
  Hmac();
  // 32 bytes.
  std::string operator()(std::string_view message) const;

 private:
  std::array<unsigned char, 32> key_;
};

}  // namespace weir
