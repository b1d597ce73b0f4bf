#include "bench/sim/certificates.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

namespace weir::sim {
namespace {

template <auto free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    free(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;

constexpr long kYear = 365L * 24 * 3600;

struct Request {
  std::string common_name;
  std::vector<std::string> organisations;
  std::string names;  // subjectAltName; empty for none.
  std::string usage;  // extendedKeyUsage; empty for a CA.
};

Status WriteFile(const std::string& path, std::string_view text, mode_t mode) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file < 0) return Unavailable(fmt::format("cannot write {}", path));
  const ssize_t written = write(file, text.data(), text.size());
  close(file);
  if (written != static_cast<ssize_t>(text.size()))
    return Unavailable(fmt::format("cannot write {}", path));
  return OkStatus();
}

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(length));
}

Status Save(const std::string& base, X509* certificate, EVP_PKEY* key) {
  const Bio certificate_text(BIO_new(BIO_s_mem()));
  const Bio key_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(certificate_text.get(), certificate) != 1 ||
      PEM_write_bio_PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Internal("cannot encode a certificate");
  }
  WEIR_TRY(WriteFile(base + ".key", Text(key_text.get()), 0600));
  return WriteFile(base + ".crt", Text(certificate_text.get()), 0644);
}

StatusOr<Certificate> LoadCertificate(const std::string& path) {
  const Bio bio(BIO_new_file(path.c_str(), "r"));
  Certificate certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!certificate) return Unavailable(fmt::format("no certificate in {}", path));
  return certificate;
}

StatusOr<Key> LoadKey(const std::string& path) {
  const Bio bio(BIO_new_file(path.c_str(), "r"));
  Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!key) return Unavailable(fmt::format("no key in {}", path));
  return key;
}

void AddEntry(X509_NAME* name, const char* field, const std::string& text) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(text.data()),
                             static_cast<int>(text.size()), -1, 0);
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return false;
  const int added = X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return added == 1;
}

void SetSerial(X509* certificate) {
  unsigned char bytes[8];
  RAND_bytes(bytes, sizeof bytes);
  uint64_t serial = 0;
  for (const unsigned char byte : bytes) serial = serial << 8 | byte;
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1);
}

// `issuer` and `issuer_key` null: self-signed.
StatusOr<Certificate> Sign(const Request& request, EVP_PKEY* key, X509* issuer,
                           EVP_PKEY* issuer_key) {
  Certificate certificate(X509_new());
  X509* raw = certificate.get();
  X509_set_version(raw, 2);
  SetSerial(raw);
  X509_gmtime_adj(X509_getm_notBefore(raw), -300);
  X509_gmtime_adj(X509_getm_notAfter(raw), kYear);
  X509_set_pubkey(raw, key);
  X509_NAME* name = X509_get_subject_name(raw);
  for (const std::string& organisation : request.organisations) AddEntry(name, "O", organisation);
  AddEntry(name, "CN", request.common_name);
  X509* signer = issuer != nullptr ? issuer : raw;
  X509_set_issuer_name(raw, X509_get_subject_name(signer));
  bool done = AddExtension(raw, signer, NID_subject_key_identifier, "hash");
  if (request.usage.empty()) {
    done =
        done && AddExtension(raw, signer, NID_basic_constraints, "critical,CA:TRUE") &&
        AddExtension(raw, signer, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
  } else {
    done = done && AddExtension(raw, signer, NID_basic_constraints, "critical,CA:FALSE") &&
           AddExtension(raw, signer, NID_authority_key_identifier, "keyid:always") &&
           AddExtension(raw, signer, NID_key_usage, "critical,digitalSignature") &&
           AddExtension(raw, signer, NID_ext_key_usage, request.usage);
  }
  if (!request.names.empty())
    done = done && AddExtension(raw, signer, NID_subject_alt_name, request.names);
  if (!done || X509_sign(raw, issuer_key != nullptr ? issuer_key : key, EVP_sha256()) == 0) {
    return Internal("cannot sign a certificate");
  }
  return certificate;
}

Key NewKey() { return Key(EVP_EC_gen("P-256")); }

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Status MakeAuthority(const std::string& directory) {
  if (Exists(directory + "/ca.key")) return OkStatus();
  const Key key = NewKey();
  WEIR_ASSIGN_OR_RETURN(const Certificate certificate,
                        Sign({"weir-sim", {}, "", ""}, key.get(), nullptr, nullptr));
  return Save(directory + "/ca", certificate.get(), key.get());
}

Status MakeSigned(const std::string& directory, const std::string& name, const Request& request) {
  if (Exists(directory + "/" + name + ".crt")) return OkStatus();
  WEIR_ASSIGN_OR_RETURN(const Certificate issuer, LoadCertificate(directory + "/ca.crt"));
  WEIR_ASSIGN_OR_RETURN(const Key issuer_key, LoadKey(directory + "/ca.key"));
  const Key key = NewKey();
  WEIR_ASSIGN_OR_RETURN(const Certificate certificate,
                        Sign(request, key.get(), issuer.get(), issuer_key.get()));
  return Save(directory + "/" + name, certificate.get(), key.get());
}

std::string ServerNames(const std::vector<std::string>& names) {
  std::string text =
      "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
      "DNS:kubernetes.default.svc.cluster.local,IP:::1";
  for (int i = 1; i <= 8; ++i) text += fmt::format(",IP:127.0.0.{}", i);
  for (const std::string& name : names) {
    const bool address = name.find_first_not_of("0123456789.") == std::string::npos ||
                         name.find(':') != std::string::npos;
    text += fmt::format(",{}:{}", address ? "IP" : "DNS", name);
  }
  return text;
}

Status MakeToken(const std::string& path) {
  if (Exists(path)) return OkStatus();
  unsigned char bytes[24];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return Internal("no random bytes");
  std::string token = "sim-";
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return WriteFile(path, token, 0600);
}

}  // namespace

StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return NotFound(fmt::format("cannot read {}", path));
  return std::string{std::istreambuf_iterator<char>(file), {}};
}

Status MakeClientCertificate(const std::string& directory, const std::string& name,
                             const std::string& common_name,
                             const std::vector<std::string>& organisations) {
  return MakeSigned(directory, name, {common_name, organisations, "", "clientAuth"});
}

StatusOr<CertificateFiles> MakeCertificates(const std::string& directory,
                                            const std::vector<std::string>& names) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  WEIR_TRY(MakeAuthority(directory));
  WEIR_TRY(MakeSigned(directory, "server", {"weir-sim", {}, ServerNames(names), "serverAuth"}));
  WEIR_TRY(MakeClientCertificate(directory, "admin", "admin", {"system:masters"}));
  WEIR_TRY(MakeClientCertificate(directory, "front-proxy-client", "front-proxy-client", {}));
  WEIR_TRY(MakeToken(directory + "/token"));
  return CertificateFiles{directory + "/ca.crt", directory + "/server.crt",
                          directory + "/server.key"};
}

Status WriteKubeconfigs(const std::string& directory, const std::string& server) {
  WEIR_ASSIGN_OR_RETURN(const std::string token, ReadFile(directory + "/token"));
  const auto text = [&](std::string_view user) {
    return fmt::format(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: sim\n  cluster:\n    server: {}\n"
        "    certificate-authority: ca.crt\nusers:\n- name: admin\n  user:\n{}"
        "contexts:\n- name: sim\n  context: {{cluster: sim, user: admin}}\ncurrent-context: sim\n",
        server, user);
  };
  WEIR_TRY(WriteFile(directory + "/kubeconfig",
                     text("    client-certificate: admin.crt\n    client-key: admin.key\n"), 0600));
  return WriteFile(directory + "/weir.kubeconfig", text(fmt::format("    token: {}\n", token)),
                   0600);
}

}  // namespace weir::sim
