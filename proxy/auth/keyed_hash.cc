#include "proxy/auth/keyed_hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <bit>
#include <cstdio>
#include <cstdlib>

namespace weir {
namespace {

// Without randomness every table below could be attacked: there is nothing sensible to go on with.
void FillRandom(unsigned char* bytes, int size) {
  if (RAND_bytes(bytes, size) == 1) return;
  std::fputs("weir: no random numbers from the system\n", stderr);
  std::abort();
}

uint64_t LoadLittleEndian(const char* bytes, size_t size) {
  uint64_t word = 0;
  for (size_t i = 0; i < size; ++i) word |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return word;
}

struct SipState {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void Absorb(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
};

struct ProcessKey {
  uint64_t words[2];
  ProcessKey() { FillRandom(reinterpret_cast<unsigned char*>(words), sizeof words); }
};

}  // namespace

uint64_t SipHash(std::string_view bytes, uint64_t key0, uint64_t key1) {
  SipState s{key0 ^ 0x736f6d6570736575, key1 ^ 0x646f72616e646f6d, key0 ^ 0x6c7967656e657261,
             key1 ^ 0x7465646279746573};
  const size_t whole = bytes.size() / 8 * 8;
  for (size_t i = 0; i < whole; i += 8) s.Absorb(LoadLittleEndian(bytes.data() + i, 8));
  const uint64_t length = uint64_t{bytes.size() & 0xff} << 56;
  s.Absorb(length | LoadLittleEndian(bytes.data() + whole, bytes.size() - whole));
  s.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) s.Round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

size_t KeyedHash::operator()(std::string_view key) const {
  static const ProcessKey process;
  return SipHash(key, process.words[0], process.words[1]);
}

Hmac::Hmac() { FillRandom(key_.data(), static_cast<int>(key_.size())); }

std::string Hmac::operator()(std::string_view message) const {
  std::string tag(32, '\0');
  unsigned int size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(),
       reinterpret_cast<unsigned char*>(tag.data()), &size);
  return tag;
}

}  // namespace weir
