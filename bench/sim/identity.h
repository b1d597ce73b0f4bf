// Who asks, and what they may: a small rules file in place of a cluster's users, tokens and RBAC.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bench/sim/request.h"
#include "protocol/base/containers.h"
#include "protocol/base/status.h"
#include "protocol/http/message.h"
#include "protocol/k8s/api_error.h"

namespace weir::sim {

struct Identity {
  std::string name, uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;  // Keys in lower case.

  bool InGroup(std::string_view group) const;
};

// The client certificate of a connection, if it showed one.
struct ClientCertificate {
  bool verified = false;  // By our CA, for client authentication, now.
  std::string common_name;
  std::vector<std::string> organisations;
  std::string fingerprint;  // Lower-case hex of the SHA-256 of its DER form.
};

// What is authorised; of a URL that names no resource only verb and path.
struct Attributes {
  bool is_resource = true;
  std::string verb, group, resource, subresource, namespace_, name, path;

  static Attributes Of(const RequestInfo& info);
};

// The rules file:
//
//   tokens:
//   - {token: kubelet-7, user: "system:node:node-00007", groups: ["system:nodes"], uid: "", extra:
//   {key: [value]}} allow:
//   - {groups: ["system:nodes"], verbs: [get, list, watch], resources: [pods, nodes,
//   leases.coordination.k8s.io]}
//   - {users: [ci], verbs: ["*"], resources: ["*"], namespaces: [team-0], names: [x]}
//   - {groups: ["system:authenticated"], verbs: [get], paths: ["/metrics", "/logs/*"]}
//
// "*" stands for anything; an absent list of `namespaces` or `names` too. `pods/status` names a
// subresource. Without any rule: `system:masters` may do everything, `system:authenticated`
// discovery and reviews of themselves, everybody health and version.
class Access {
 public:
  Access();
  // Adds the file's tokens and rules. InvalidArgument names what is wrong with it.
  Status Load(const std::string& path);
  Status LoadText(const std::string& yaml);
  void AddToken(std::string token, Identity identity);

  // As the union of a kube-apiserver: front proxy, certificate, token, else anonymous. A credential
  // that fails, with no other that succeeds, is Unauthenticated.
  StatusOr<Identity> Authenticate(const http::HeaderList& headers,
                                  const ClientCertificate* certificate) const;
  // Applies Impersonate-* headers; the error is 400 or 403.
  std::variant<Identity, ApiError> Impersonate(const http::HeaderList& headers,
                                               Identity identity) const;
  bool Allows(const Identity& identity, const Attributes& attributes) const;
  // Null: no such token.
  const Identity* FindToken(std::string_view token) const;

 private:
  struct Rule {
    std::vector<std::string> users, groups, verbs, resources, namespaces, names, paths;
  };
  static bool Covers(const Rule& rule, const Identity& identity, const Attributes& attributes);

  StringMap<Identity> tokens_;
  std::vector<Rule> rules_;
};

// The text that a kube-apiserver's 403 has.
ApiError ForbiddenError(const Identity& identity, const Attributes& attributes);

}  // namespace weir::sim
