#include "proxy/auth/authorizer.h"
#include "proxy/auth/go_quote.h"

namespace weir {
namespace {

// Upstream escapes the core of the message for HTML, the rest of it not.
std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// `User "U" cannot V resource "R" in API group "G" …`
std::string Core(const Identity& identity, const Attributes& attributes) {
  std::string core = "User ";
  AppendGoQuoted(identity.name, core);
  core += " cannot " + attributes.verb + " resource ";
  AppendGoQuoted(attributes.resource.resource, core);
  core += " in API group ";
  AppendGoQuoted(attributes.resource.group, core);
  if (attributes.namespace_.empty()) return core + " at the cluster scope";
  core += " in the namespace ";
  AppendGoQuoted(attributes.namespace_, core);
  return core;
}

}  // namespace

std::string ForbiddenMessage(const Identity& identity, const Attributes& attributes,
                             std::string_view reason) {
  std::string message = attributes.resource.GroupResource();
  if (!attributes.name.empty()) {
    message += ' ';
    AppendGoQuoted(attributes.name, message);
  }
  message += " is forbidden: " + EscapeHtml(Core(identity, attributes));
  if (!reason.empty()) message.append(": ").append(reason);
  return message;
}

}  // namespace weir
