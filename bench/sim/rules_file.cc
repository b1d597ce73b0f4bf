// The YAML form of Access.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <exception>
#include <fstream>
#include <iterator>

#include "bench/sim/identity.h"

namespace weir::sim {
namespace {

using Lists = std::map<std::string, std::vector<std::string>*>;

std::vector<std::string> ReadList(const YAML::Node& node) {
  if (node.IsScalar()) return {node.as<std::string>()};
  return node.as<std::vector<std::string>>();
}

Status ReadToken(const YAML::Node& node, std::string& token, Identity& identity) {
  for (const auto& entry : node) {
    const auto key = entry.first.as<std::string>();
    if (key == "token") {
      token = entry.second.as<std::string>();
    } else if (key == "user") {
      identity.name = entry.second.as<std::string>();
    } else if (key == "uid") {
      identity.uid = entry.second.as<std::string>();
    } else if (key == "groups") {
      identity.groups = ReadList(entry.second);
    } else if (key == "extra") {
      for (const auto& extra : entry.second) {
        identity.extra[extra.first.as<std::string>()] = ReadList(extra.second);
      }
    } else {
      return InvalidArgument(fmt::format("unknown key \"{}\" in a token", key));
    }
  }
  if (token.empty() || identity.name.empty()) {
    return InvalidArgument("a token needs `token` and `user`");
  }
  return OkStatus();
}

Status ReadLists(const YAML::Node& node, const Lists& lists) {
  for (const auto& entry : node) {
    const auto key = entry.first.as<std::string>();
    const auto list = lists.find(key);
    if (list == lists.end())
      return InvalidArgument(fmt::format("unknown key \"{}\" in a rule", key));
    *list->second = ReadList(entry.second);
  }
  return OkStatus();
}

}  // namespace

Status Access::LoadText(const std::string& yaml) {
  try {
    const YAML::Node root = YAML::Load(yaml);
    for (const auto& section : root) {
      const auto name = section.first.as<std::string>();
      if (name != "tokens" && name != "allow") {
        return InvalidArgument(fmt::format("unknown section \"{}\"", name));
      }
      for (const YAML::Node& node : section.second) {
        if (name == "tokens") {
          std::string token;
          Identity identity;
          WEIR_TRY(ReadToken(node, token, identity));
          AddToken(std::move(token), std::move(identity));
          continue;
        }
        Rule rule;
        WEIR_TRY(ReadLists(node, {{"users", &rule.users},
                                  {"groups", &rule.groups},
                                  {"verbs", &rule.verbs},
                                  {"resources", &rule.resources},
                                  {"namespaces", &rule.namespaces},
                                  {"names", &rule.names},
                                  {"paths", &rule.paths}}));
        rules_.push_back(std::move(rule));
      }
    }
  } catch (const std::exception& error) {  // yaml-cpp throws, with line and column.
    return InvalidArgument(error.what());
  }
  return OkStatus();
}

Status Access::Load(const std::string& path) {
  std::ifstream file(path);
  if (!file) return NotFound(fmt::format("cannot read {}", path));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Status status = LoadText(text);
  if (status.ok()) return status;
  return InvalidArgument(fmt::format("{}: {}", path, Message(status)));
}

}  // namespace weir::sim
