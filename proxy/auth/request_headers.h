// Who a front proxy says that the user is, in headers (auth-and-forwarding A.9; in Kubernetes
// k8s.io/apiserver/pkg/authentication/request/headerrequest).
//
// Nothing here asks whether the headers are to be believed: that is the certificate's to tell.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/http/message.h"
#include "proxy/auth/identity.h"

namespace weir {

// Compared without case.
struct RequestHeaderNames {
  std::vector<std::string> username = {"X-Remote-User"};
  std::vector<std::string> uid;
  std::vector<std::string> group = {"X-Remote-Group"};
  std::vector<std::string> extra_prefix = {"X-Remote-Extra-"};
};

// The user: of the names in their order the first whose first line is not empty; nothing: none of
// them. So the uid. Groups are all lines but empty ones, never split. What follows an extra prefix
// is the key, in lower case, then percent-decoded where it can be. Without system:authenticated.
std::optional<Identity> IdentityOfHeaders(const RequestHeaderNames& names,
                                          const http::HeaderList& headers);
// Whether all of it is UTF-8. Go takes any bytes, but no JSON carries them unchanged.
bool IsText(const Identity& identity);

}  // namespace weir
