#include "protocol/k8s/accept.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/k8s/accept_header.h"
#include "protocol/k8s/query.h"

namespace weir {
namespace {

enum class Media : uint8_t { kJson, kYaml, kProtobuf };

struct MediaType {
  Media media;
  std::string_view subtype;  // Of "application".
  bool has_stream;           // A form for WATCH.
};
// In upstream's order, in which wildcards are tried.
constexpr std::array<MediaType, 3> kMediaTypes = {{
    {Media::kJson, "json", true},
    {Media::kYaml, "yaml", false},
    {Media::kProtobuf, "vnd.kubernetes.protobuf", true},
}};

// Who answers; upstream calls it the endpoint's restrictions.
enum class Endpoint : uint8_t { kBuiltIn, kCustom, kError };

constexpr std::string_view kMetaGroup = "meta.k8s.io";

std::string_view First(const http::RequestHead& head, std::string_view name) {
  const std::string* value = head.headers.First(name);
  return value != nullptr ? std::string_view(*value) : std::string_view();
}

bool Matches(const AcceptClause& clause, const MediaType& media) {
  if (clause.type == "*") return clause.subtype == "*";
  return clause.type == "application" && (clause.subtype == "*" || clause.subtype == media.subtype);
}

bool IsPartial(const AcceptClause& clause) {
  return clause.kind == "PartialObjectMetadata" || clause.kind == "PartialObjectMetadataList";
}

bool AllowsConversion(const AcceptClause& clause, Media media, Endpoint endpoint) {
  if (!clause.converts) return endpoint != Endpoint::kCustom || media != Media::kProtobuf;
  const bool known_version = clause.version == "v1" || clause.version == "v1beta1";
  if (endpoint == Endpoint::kError || clause.group != kMetaGroup || !known_version) return false;
  return IsPartial(clause) || (clause.kind == "Table" && media != Media::kProtobuf);
}

// Whether upstream takes the clause for this type; else it tries the next.
bool IsAdmissible(const AcceptClause& clause, const MediaType& media, Endpoint endpoint) {
  if (!clause.stream.empty() && (!media.has_stream || clause.stream != "watch")) return false;
  if (!clause.server_version.empty() &&
      (endpoint == Endpoint::kError || clause.server_version != "v1")) {
    return false;
  }
  return AllowsConversion(clause, media.media, endpoint);
}

struct Choice {
  Media media = Media::kJson;
  AcceptClause clause;
  bool after_cbor = false;  // An upstream that serves CBOR would have chosen that.
};

std::optional<Choice> Choose(const AcceptHeader& header, Endpoint endpoint) {
  Choice choice;
  for (const AcceptClause& clause : header.clauses) {
    for (const MediaType& media : kMediaTypes) {
      if (!Matches(clause, media) || !IsAdmissible(clause, media, endpoint)) continue;
      choice.media = media.media;
      choice.clause = clause;
      return choice;
    }
    choice.after_cbor |= clause.type == "application" && clause.subtype == "cbor";
  }
  return std::nullopt;
}

// The router in front of built-in types, which compares names only.
bool RouterAccepts(std::string_view accept) {
  for (;;) {
    const size_t comma = accept.find(',');
    std::string_view type = accept.substr(0, std::min(comma, accept.find(';')));
    while (type.starts_with(' ')) type.remove_prefix(1);
    while (type.ends_with(' ')) type.remove_suffix(1);
    if (type == "*/*" || type == kJsonType || type == kYamlType || type == kProtobufType) {
      return true;
    }
    if (comma == std::string_view::npos) return false;
    accept.remove_prefix(comma + 1);
  }
}

// strconv.ParseBool's true.
bool IsGoTrue(std::string_view text) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  return std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end();
}

// `pretty` of the query, or else the kind of client.
bool PrefersIndentation(const http::RequestHead& head) {
  // As upstream: an escaped name is not seen unless the plain word is in the query too.
  if (head.query().find("pretty") != std::string_view::npos) {
    const auto value = FirstQueryValue(head.query(), "pretty");
    if (value && !value->empty()) return IsGoTrue(*value);
  }
  const std::string_view agent = First(head, "User-Agent");
  return agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0");
}

bool WantsPretty(const http::RequestHead& head, const Choice& choice) {
  return choice.media == Media::kJson && (choice.clause.pretty || PrefersIndentation(head));
}

Negotiated Serve(const http::RequestHead& head, ReadVerb verb, const Choice& choice,
                 Endpoint endpoint) {
  const AcceptClause& clause = choice.clause;
  if (choice.media == Media::kYaml || choice.after_cbor || clause.has_unknown) return {};
  Negotiated result;
  if (clause.converts) {
    const std::string_view kind =
        verb == ReadVerb::kList ? "PartialObjectMetadataList" : "PartialObjectMetadata";
    if (clause.kind != kind || clause.version != "v1") return {};
    result.form.metadata_only = true;
  }
  if (choice.media == Media::kProtobuf) {
    const bool built_in = endpoint == Endpoint::kBuiltIn;
    result.form.encoding = built_in ? Encoding::kProtobuf : Encoding::kProtobufMetadata;
  }
  result.serve = true;
  result.pretty = verb != ReadVerb::kWatch && WantsPretty(head, choice);
  return result;
}

Negotiated NegotiateFor(const http::RequestHead& head, ReadVerb verb, const AcceptHeader& header,
                        Endpoint endpoint) {
  const auto choice = Choose(header, endpoint);
  return choice ? Serve(head, verb, *choice, endpoint) : Negotiated{};
}

std::string_view TrimBlanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

}  // namespace

Negotiation NegotiateRead(const http::RequestHead& head, ReadVerb verb) {
  const std::string_view accept = First(head, "Accept");
  if (accept.empty()) {
    const Negotiated json = Serve(head, verb, Choice{}, Endpoint::kBuiltIn);
    return {json, json};
  }
  const AcceptHeader header = ParseAcceptHeader(accept);
  if (header.is_doubtful) return {};
  Negotiation result;
  if (RouterAccepts(accept)) result.built_in = NegotiateFor(head, verb, header, Endpoint::kBuiltIn);
  result.custom = NegotiateFor(head, verb, header, Endpoint::kCustom);
  return result;
}

ErrorForm NegotiateError(const http::RequestHead& head) {
  const std::string_view accept = First(head, "Accept");
  const auto choice = accept.empty() ? std::optional(Choice{})
                                     : Choose(ParseAcceptHeader(accept), Endpoint::kError);
  if (!choice || WantsPretty(head, *choice)) return ErrorForm::kIndentedJson;
  switch (choice->media) {
    case Media::kJson:
      return ErrorForm::kJson;
    case Media::kYaml:
      return ErrorForm::kYaml;
    case Media::kProtobuf:
      return ErrorForm::kProtobuf;
  }
  return ErrorForm::kJson;
}

bool AcceptsGzip(const http::RequestHead& head) {
  std::string_view rest = First(head, "Accept-Encoding");
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    if (TrimBlanks(rest.substr(0, comma)) == "gzip") return true;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return false;
}

}  // namespace weir
