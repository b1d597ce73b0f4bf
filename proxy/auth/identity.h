// Who asks, and what for.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "protocol/k8s/read_request.h"

namespace weir {

// An authenticated user, as user.Info of Kubernetes. Immutable, shared between requests and
// workers.
struct Identity {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;  // Keys lower case.

  enum class Method : uint8_t { kCertificate, kToken, kFrontProxy };
  Method method = Method::kCertificate;
  // When upstream stops accepting the credential: the first notAfter of the certificate's chain (a
  // front proxy's, where that speaks for the user), or the token's `exp` and the minute that
  // upstream adds to it.
  std::chrono::system_clock::time_point expires = std::chrono::system_clock::time_point::max();
};
using IdentityRef = std::shared_ptr<const Identity>;

// Exactly what a request does: the attributes that are authorised, selectors included.
struct Attributes {
  std::string verb;  // "get", "list", "watch"
  ResourceId resource;
  std::string namespace_;
  std::string name;
  FieldSelector field_selector;
  LabelSelector label_selector;
};

// Of a request in the cacheable grammar.
Attributes AttributesOf(const ReadRequest& request);

}  // namespace weir
