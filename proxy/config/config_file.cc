#include "proxy/config/config_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace weir {
namespace {

constexpr std::string_view kApiVersion = "weir/v1alpha1";
constexpr std::string_view kKind = "WeirConfiguration";

StatusOr<FileSetting> ReadSetting(const YAML::Node& key, const YAML::Node& value) {
  if (!key.IsScalar())
    return InvalidArgument(fmt::format("line {}: a key must be text", key.Mark().line + 1));
  FileSetting setting;
  setting.key = key.Scalar();
  if (value.IsScalar()) {
    setting.values.push_back(value.Scalar());
    return setting;
  }
  if (!value.IsSequence()) {
    return InvalidArgument(fmt::format(
        "{}: want a value or a list of values; remove the key for its default", setting.key));
  }
  setting.list = true;
  for (const YAML::Node& item : value) {
    if (!item.IsScalar())
      return InvalidArgument(fmt::format("{}: want a list of plain values", setting.key));
    if (item.Scalar().empty())
      return InvalidArgument(fmt::format("{}: an item of the list is empty", setting.key));
    setting.values.push_back(item.Scalar());
  }
  return setting;
}

// Removes `key` from the settings; its value must be `want`.
Status TakeHeader(std::vector<FileSetting>& settings, std::string_view key, std::string_view want) {
  const auto it = std::find_if(settings.begin(), settings.end(),
                               [key](const FileSetting& s) { return s.key == key; });
  if (it == settings.end())
    return InvalidArgument(fmt::format("{} is missing; want \"{}\"", key, want));
  if (it->list || it->values[0] != want) {
    return InvalidArgument(fmt::format("{}: want \"{}\"", key, want));
  }
  settings.erase(it);
  return OkStatus();
}

StatusOr<std::vector<FileSetting>> ReadSettings(const YAML::Node& root) {
  if (!root.IsMap()) return InvalidArgument("want a map of options");
  std::vector<FileSetting> settings;
  for (const auto& entry : root) {
    WEIR_ASSIGN_OR_RETURN(FileSetting setting, ReadSetting(entry.first, entry.second));
    for (const FileSetting& earlier : settings) {
      if (earlier.key == setting.key)
        return InvalidArgument(fmt::format("{} appears twice; remove one", setting.key));
    }
    settings.push_back(std::move(setting));
  }
  WEIR_TRY(TakeHeader(settings, "apiVersion", kApiVersion));
  WEIR_TRY(TakeHeader(settings, "kind", kKind));
  return settings;
}

}  // namespace

StatusOr<std::vector<FileSetting>> ParseConfigFile(std::string_view yaml) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(yaml));
    if (documents.size() != 1) {
      return InvalidArgument(fmt::format("want one YAML document, not {}", documents.size()));
    }
    return ReadSettings(documents[0]);
  } catch (const YAML::Exception& error) {
    return InvalidArgument(fmt::format("line {}: {}", error.mark.line + 1, error.msg));
  }
}

}  // namespace weir
