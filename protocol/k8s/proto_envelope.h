// Opens the envelopes in which upstream sends objects in protobuf (api-semantics 5.4).
#pragma once

#include <string_view>

#include "protocol/base/status.h"

namespace weir {

// Views into the envelope.
struct ProtoEnvelope {
  std::string_view api_version, kind;
  std::string_view message;
};

// InvalidArgument: no magic, malformed, no message, a part of it twice, or a content encoding.
StatusOr<ProtoEnvelope> OpenProtoEnvelope(std::string_view bytes);

}  // namespace weir
