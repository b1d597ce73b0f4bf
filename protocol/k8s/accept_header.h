// The Accept header as kube-apiserver reads it (api-semantics 5.1): clauses in order of preference.
//
// Not RFC 9110: upstream's parser passes over what it does not understand and its order is its own,
// so this follows it step by step. Views point into the header's value.
#pragma once

#include <string_view>
#include <vector>

namespace weir {

// "type/subtype; parameter=value …". A parameter is empty where it is absent or has no value, but
// for the three of a conversion, where upstream tells the two apart by `converts`.
struct AcceptClause {
  std::string_view type, subtype;
  float weight = 1;  // q. Weight 0 does not exclude: it only sorts last.

  bool converts = false;                  // `as`, `g` or `v` is there.
  std::string_view kind, group, version;  // as=…;g=…;v=…
  std::string_view stream;                // stream=…
  std::string_view server_version;        // sv=…
  bool pretty = false;                    // pretty=1
  bool has_unknown = false;  // A parameter that kube-apiserver 1.37 has no meaning for.
};

struct AcceptHeader {
  std::vector<AcceptClause> clauses;  // The most wanted first, as upstream sorts them.
  // A weight of a rare notation (hexadecimal, infinite, …) was taken for 0, or there are more
  // clauses than upstream sorts stably: the order may be another one.
  bool is_doubtful = false;
};

// Of any bytes; of more than 64 clauses the first 64. The empty value has none.
AcceptHeader ParseAcceptHeader(std::string_view value);

}  // namespace weir
