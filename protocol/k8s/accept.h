// Content negotiation (api-semantics 5): the form in which a client gets an answer, exactly as
// kube-apiserver 1.37 chooses it from Accept, `pretty`, User-Agent and Accept-Encoding.
//
// Only the first line of a repeated header counts, as upstream.
#pragma once

#include <cstdint>

#include "protocol/http/message.h"
#include "protocol/k8s/form.h"
#include "protocol/k8s/read_verb.h"

namespace weir {

// What upstream would answer with, as far as Weir makes it. `serve` false: forward. That is Table,
// YAML, CBOR, all that is refused (406, and the 500 for a list of metadata that is one custom
// object), meta.k8s.io/v1beta1, and a clause with a parameter that has no meaning for 1.37.
struct Negotiated {
  bool serve = false;
  Form form;
  bool pretty = false;  // Indented. JSON only, and never of a WATCH.
  friend bool operator==(const Negotiated&, const Negotiated&) = default;
};

// Whether a resource type is built in is known only later, and it matters: the router in front of
// built-in types knows no `application/*` and no `*`, and custom resources have no protobuf but
// that of their metadata.
struct Negotiation {
  Negotiated built_in, custom;
};

Negotiation NegotiateRead(const http::RequestHead& head, ReadVerb verb);

// The form of a Status. Errors are negotiated anew, by rules of their own: no conversions. Where
// nothing is acceptable it is kIndentedJson.
enum class ErrorForm : uint8_t { kJson, kIndentedJson, kYaml, kProtobuf };
ErrorForm NegotiateError(const http::RequestHead& head);

// Whether bodies above upstream's threshold are compressed (api-semantics 5.7): Accept-Encoding has
// the bare token `gzip`, without a weight.
bool AcceptsGzip(const http::RequestHead& head);

// Larger bodies of LIST and GET are compressed; those of exactly this size are not.
inline constexpr size_t kGzipThreshold = 128 * 1024;

}  // namespace weir
