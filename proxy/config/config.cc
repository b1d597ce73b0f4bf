#include "proxy/config/config.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <exception>

#include "protocol/k8s/label_syntax.h"
#include "protocol/k8s/qualified_name.h"
#include "proxy/config/cache_index.h"
#include "proxy/config/config_file.h"
#include "proxy/config/cores.h"
#include "proxy/config/files.h"
#include "proxy/config/kubeconfig.h"
#include "proxy/config/option_table.h"
#include "proxy/config/pem.h"
#include "proxy/config/values.h"
#include "proxy/config/version.h"

namespace weir {
namespace {

constexpr std::string_view kSeeHelp = "see weir --help";

// What the command line says: the options given, in table order, with their texts.
struct Flags {
  std::string print_and_exit;
  std::vector<std::pair<const Option*, std::vector<std::string>>> given;
};

// pflag's spellings that CLI11 reads differently: "-v=2", and "--name=" as an empty value.
std::vector<std::string> NormaliseArguments(int argc, const char* const* argv) {
  std::vector<std::string> out;
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (arg.starts_with("-v=")) arg.insert(0, "-");
    if (arg.starts_with("--") && arg.ends_with('=')) {
      out.push_back(arg.substr(0, arg.size() - 1));
      out.emplace_back();
    } else {
      out.push_back(std::move(arg));
    }
  }
  std::reverse(out.begin(), out.end());  // As CLI::App::parse(vector&) takes them.
  return out;
}

CLI::Option* Declare(CLI::App& app, const Option& option) {
  const std::string name =
      option.flag == "v" ? "-v,--v" : fmt::format("--{}", std::string(option.flag));
  const std::string help(option.help);
  CLI::Option* const declared = option.kind == Option::Kind::kSwitch
                                    ? app.add_flag(name, help)
                                    : app.add_option(name)->description(help)->expected(1);
  declared->group(std::string(option.group));
  declared->multi_option_policy(option.kind == Option::Kind::kList
                                    ? CLI::MultiOptionPolicy::TakeAll
                                    : CLI::MultiOptionPolicy::TakeLast);
  if (const std::string text = option.get(Config{}); !text.empty()) declared->default_str(text);
  return declared;
}

Status Unexpected(const std::string& argument) {
  if (!argument.starts_with('-')) {
    return InvalidArgument(fmt::format("\"{}\": weir takes options only; {}", argument, kSeeHelp));
  }
  const std::string name = argument.substr(0, argument.find('='));
  return InvalidArgument(fmt::format("{}: no such option; {}", name, kSeeHelp));
}

StatusOr<Flags> ReadFlags(int argc, const char* const* argv) {
  CLI::App app("Weir: a caching HTTPS proxy for the Kubernetes API server.", "weir");
  app.allow_extras();
  app.set_help_flag("-h,--help", "Print this help and exit.");
  app.set_version_flag("--version", fmt::format("weir {}", Version()));
  std::vector<CLI::Option*> declared;
  for (const Option& option : OptionTable()) declared.push_back(Declare(app, option));

  Flags flags;
  try {
    std::vector<std::string> arguments = NormaliseArguments(argc, argv);
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    flags.print_and_exit = app.help();
    return flags;
  } catch (const CLI::CallForVersion& version) {
    flags.print_and_exit = fmt::format("{}\n", version.what());
    return flags;
  } catch (const CLI::Error& error) {
    return InvalidArgument(fmt::format("{}; {}", error.what(), kSeeHelp));
  }
  if (const auto extra = app.remaining(); !extra.empty()) return Unexpected(extra.front());

  for (size_t i = 0; i < declared.size(); ++i) {
    const Option& option = OptionTable()[i];
    if (declared[i]->count() == 0) continue;
    std::vector<std::string> values = declared[i]->results();
    if (option.kind != Option::Kind::kList) values = {values.back()};
    flags.given.emplace_back(&option, std::move(values));
  }
  return flags;
}

const Option* FindByKey(std::string_view key) {
  for (const Option& option : OptionTable()) {
    if (option.in_file && FileKey(option.flag) == key) return &option;
  }
  return nullptr;
}

Status ApplyFile(const std::string& path, Config& config) {
  const auto wrong = [&path](std::string_view what) {
    return InvalidArgument(fmt::format("--config=\"{}\": {}", path, what));
  };
  const StatusOr<std::string> text = ReadSmallFile(path, size_t{1} << 20);
  if (!text.ok()) return wrong(Message(text.status()));
  const StatusOr<std::vector<FileSetting>> settings = ParseConfigFile(*text);
  if (!settings.ok()) return wrong(Message(settings.status()));
  for (const FileSetting& setting : *settings) {
    const Option* const option = FindByKey(setting.key);
    if (option == nullptr)
      return wrong(fmt::format("{}: no such option; {}", setting.key, kSeeHelp));
    if (setting.list && option->kind != Option::Kind::kList) {
      return wrong(fmt::format("{}: want one value, not a list", setting.key));
    }
    if (const Status status = option->set(config, setting.values); !status.ok()) {
      return wrong(fmt::format("{}: \"{}\": {}", setting.key, fmt::join(setting.values, ","),
                               Message(status)));
    }
  }
  return OkStatus();
}

Status ApplyFlags(const Flags& flags, Config& config) {
  for (const auto& [option, values] : flags.given) {
    if (const Status status = option->set(config, values); !status.ok()) {
      return InvalidArgument(
          fmt::format("--{}=\"{}\": {}", option->flag, fmt::join(values, ","), Message(status)));
    }
  }
  return OkStatus();
}

Status Wrong(std::string_view flag, std::string_view value, std::string_view remedy) {
  return InvalidArgument(fmt::format("--{}=\"{}\": {}", flag, value, remedy));
}

// A name that a resolver can look up, or an address.
bool IsHost(const std::string& host) {
  return IsIpAddress(host) || std::all_of(host.begin(), host.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
         });
}

Status CheckAddresses(const Config& config) {
  if (!IsIpAddress(config.bind_address)) {
    return Wrong("bind-address", config.bind_address, "want an IP address such as 0.0.0.0 or ::");
  }
  const StatusOr<HostPort> admin = ParseHostPort(config.admin_bind_address);
  if (!admin.ok()) {
    return Wrong("admin-bind-address", config.admin_bind_address, Message(admin.status()));
  }
  if (!IsLoopback(admin->host) && !config.admin_allow_plaintext) {
    return Wrong("admin-bind-address", config.admin_bind_address,
                 "not a loopback address; use 127.0.0.1, or set --admin-allow-plaintext where only "
                 "probes and Prometheus can reach it");
  }
  for (const std::string& peer : config.rebalance_peers) {
    if (const auto address = ParseHostPort(peer); !address.ok() || !IsHost(address->host))
      return Wrong("rebalance-peers", peer, "want host:port, such as weir-admin.kube-system:8081");
  }
  for (const std::string& server : config.upstream_server) {
    if (const StatusOr<ServerUrl> url = ParseServerUrl(server); !url.ok()) {
      return Wrong("upstream-server", server, Message(url.status()));
    }
  }
  return OkStatus();
}

Status CheckBundle(std::string_view flag, const std::string& file) {
  if (file.empty()) return OkStatus();
  const StatusOr<std::string> bundle = ReadSmallFile(file);
  if (!bundle.ok()) return Wrong(flag, file, Message(bundle.status()));
  const Status status = CheckCertificates(*bundle);
  return status.ok() ? OkStatus() : Wrong(flag, file, Message(status));
}

Status CheckKeyFiles(const Config& config) {
  if (config.tls_cert_file.empty() || config.tls_private_key_file.empty()) {
    const std::string_view flag =
        config.tls_cert_file.empty() ? "tls-cert-file" : "tls-private-key-file";
    return Wrong(flag, "", "required; name the PEM file of Weir's serving certificate and its key");
  }
  if (const auto pair = ReadKeyPair(config.tls_cert_file, config.tls_private_key_file);
      !pair.ok()) {
    return Wrong("tls-cert-file", config.tls_cert_file, Message(pair.status()));
  }
  if (config.proxy_client_cert_file.empty() != config.proxy_client_key_file.empty()) {
    return Wrong("proxy-client-cert-file", config.proxy_client_cert_file,
                 "goes with --proxy-client-key-file; set both or none");
  }
  if (!config.proxy_client_cert_file.empty()) {
    const auto pair = ReadKeyPair(config.proxy_client_cert_file, config.proxy_client_key_file);
    if (!pair.ok())
      return Wrong("proxy-client-cert-file", config.proxy_client_cert_file, Message(pair.status()));
  }
  WEIR_TRY(CheckBundle("client-ca-file", config.client_ca_file));
  return CheckBundle("requestheader-client-ca-file", config.requestheader_client_ca_file);
}

bool IsHeaderName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.';
  });
}

Status CheckRequestHeader(const Config& config) {
  const auto check = [](std::string_view flag, const std::vector<std::string>& names) -> Status {
    for (const std::string& name : names) {
      // `_` is refused in the headers of requests too: servers differ in what they make of it.
      if (!IsHeaderName(name))
        return Wrong(flag, name, "want header names of letters, digits, - .");
    }
    return OkStatus();
  };
  WEIR_TRY(check("requestheader-username-headers", config.requestheader_username_headers));
  WEIR_TRY(check("requestheader-uid-headers", config.requestheader_uid_headers));
  WEIR_TRY(check("requestheader-group-headers", config.requestheader_group_headers));
  WEIR_TRY(check("requestheader-extra-headers-prefix", config.requestheader_extra_headers_prefix));
  for (const std::string& name : config.requestheader_allowed_names) {
    if (name.find_first_not_of(" \t") == std::string::npos)
      return Wrong("requestheader-allowed-names", name, "want common names");
  }
  if (!config.requestheader_client_ca_file.empty() &&
      config.requestheader_username_headers.empty()) {
    return Wrong("requestheader-username-headers", "",
                 "--requestheader-client-ca-file needs one that names the user");
  }
  return OkStatus();
}

bool IsResourceName(std::string_view name) {
  if (name.empty() || name.front() == '.' || name.back() == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

Status CheckPrewarm(const Config& config) {
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const std::string& name : config.cache_prewarm) {
    const auto id = ParseQualifiedName(name);
    if (!id) {
      return Wrong("cache-prewarm", name,
                   "want a resource with its version, such as pods or deployments.v1.apps");
    }
    if (has(config.cache_never, id->GroupResource()) ||
        (!config.cache_only.empty() && !has(config.cache_only, id->GroupResource()))) {
      return Wrong("cache-prewarm", name, "it is not cached at all");
    }
  }
  return OkStatus();
}

Status CheckIndexes(const Config& config) {
  for (const std::string& text : config.cache_index) {
    const auto index = ParseCacheIndex(text);
    if (!index || !IsResourceName(index->resource)) {
      return Wrong("cache-index", text, "want RESOURCE=label:KEY or RESOURCE=field:NAME");
    }
    if (index->is_label && !IsLabelKey(index->name)) {
      return Wrong("cache-index", text, "the key of a label cannot look like this");
    }
  }
  return OkStatus();
}

Status CheckResources(const Config& config) {
  const auto check = [](std::string_view flag, const std::vector<std::string>& names) -> Status {
    for (const std::string& name : names) {
      if (!IsResourceName(name))
        return Wrong(flag, name, "want a resource such as pods or deployments.apps");
    }
    return OkStatus();
  };
  WEIR_TRY(check("cache-never", config.cache_never));
  WEIR_TRY(check("cache-only", config.cache_only));
  for (const std::string& name : config.cache_only) {
    if (std::find(config.cache_never.begin(), config.cache_never.end(), name) !=
        config.cache_never.end()) {
      return Wrong("cache-only", name,
                   "also in --cache-never, which wins; remove it from one of them");
    }
  }
  WEIR_TRY(CheckIndexes(config));
  return CheckPrewarm(config);
}

StatusOr<Config> Load(int argc, const char* const* argv) {
  WEIR_ASSIGN_OR_RETURN(const Flags flags, ReadFlags(argc, argv));
  Config config;
  if (!flags.print_and_exit.empty()) {
    config.print_and_exit = flags.print_and_exit;
    return config;
  }
  WEIR_TRY(ApplyFlags(flags, config));  // Once for --config itself, and once more to beat the file.
  if (!config.config.empty()) {
    WEIR_TRY(ApplyFile(config.config, config));
    WEIR_TRY(ApplyFlags(flags, config));
  }
  WEIR_TRY(CheckAddresses(config));
  WEIR_TRY(CheckKeyFiles(config));
  WEIR_TRY(CheckRequestHeader(config));
  WEIR_TRY(CheckResources(config));
  if (config.workers == 0) config.workers = AvailableCores();
  return config;
}

}  // namespace

StatusOr<Config> LoadConfig(int argc, const char* const* argv) {
  try {
    return Load(argc, argv);
  } catch (const std::exception& error) {
    return InvalidArgument(fmt::format("configuration: {}", error.what()));
  }
}

std::string Config::admin_host() const {
  const StatusOr<HostPort> address = ParseHostPort(admin_bind_address);
  return address.ok() ? address->host : std::string();
}

uint16_t Config::admin_port() const {
  const StatusOr<HostPort> address = ParseHostPort(admin_bind_address);
  return address.ok() ? address->port : uint16_t{0};
}

std::vector<std::string> Config::Effective() const {
  std::vector<std::string> out;
  for (const Option& option : OptionTable()) {
    out.push_back(fmt::format("--{}={}", option.flag, option.get(*this)));
  }
  return out;
}

}  // namespace weir
