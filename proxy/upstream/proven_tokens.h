// Which bearer tokens the API server has taken lately.
//
// To whoever comes without a name over HTTP/2 kube-apiserver says GOAWAY, and with him to all who
// share his connection. So a token shares one only with others that were taken before; those who
// are new share theirs with one another, until they have been answered.
//
// Thread-affine. Bounds: twice kMax numbers; the oldest are forgotten, which costs them one more
// request among the new.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "proxy/auth/keyed_hash.h"

namespace weir {

class ProvenTokens {
 public:
  static constexpr size_t kMax = 16384;

  // Stands for an Authorization header's value; never 0, which stands for none.
  static uint64_t KeyOf(std::string_view authorization) {
    const uint64_t key = KeyedHash()(authorization);
    return key != 0 ? key : 1;
  }

  bool Has(uint64_t key) const { return newer_.contains(key) || older_.contains(key); }
  // It was answered with `status`.
  void Note(uint64_t key, int status) {
    if (key == 0 || status < 200) return;
    if (status == 401) {
      newer_.erase(key);
      older_.erase(key);
      return;
    }
    if (newer_.contains(key)) return;
    if (newer_.size() >= kMax) older_ = std::exchange(newer_, {});
    newer_.insert(key);
  }

 private:
  absl::flat_hash_set<uint64_t> newer_, older_;
};

}  // namespace weir
