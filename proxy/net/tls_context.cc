#include "proxy/net/tls_context.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "proxy/net/tls_algorithms.h"

namespace weir {

namespace {

constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* kGroups = "X25519:P-256:P-384:P-521";
// ALPN's wire form.
constexpr unsigned char kProtocols[] = "\x08http/1.1";
constexpr unsigned int kProtocolsLength = sizeof(kProtocols) - 1;
constexpr unsigned char kBothProtocols[] = "\x02h2\x08http/1.1";
constexpr unsigned int kBothProtocolsLength = sizeof(kBothProtocols) - 1;

std::string ErrorText() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown error";
}

void SetCommonOptions(SSL_CTX* ctx) {
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  // NO_AUTO_CHAIN: we present the certificates that were configured, not what the trusted ones add.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_max_early_data(ctx, 0);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_cipher_list(ctx, kTls12Ciphers);
  SSL_CTX_set1_groups_list(ctx, kGroups);
}

// `http2` is null where it is not offered. All suites of ours are fit for it (RFC 9113 §9.2.2).
int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_length,
                   const unsigned char* in, unsigned int in_length, void* http2) {
  const bool both = http2 != nullptr;
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, out_length, both ? kBothProtocols : kProtocols,
                            both ? kBothProtocolsLength : kProtocolsLength, in,
                            in_length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // no_application_protocol, as Go's server.
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

Status AddCaPem(SSL_CTX* ctx, const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509_STORE* store = SSL_CTX_get_cert_store(ctx);
  int count = 0;
  while (X509* cert = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(store, cert);
    X509_free(cert);
    ++count;
  }
  BIO_free(bio);
  ERR_clear_error();
  if (count == 0) return InvalidArgument("certificate-authority: no PEM certificate in it");
  // Every member of the bundle is an anchor, as in Go.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  return OkStatus();
}

Status UseClientPair(SSL_CTX* ctx, const std::string& cert_pem, const std::string& key_pem) {
  BIO* bio = BIO_new_mem_buf(cert_pem.data(), static_cast<int>(cert_pem.size()));
  X509* leaf = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  if (leaf == nullptr || SSL_CTX_use_certificate(ctx, leaf) != 1) {
    X509_free(leaf);
    BIO_free(bio);
    return InvalidArgument("client certificate: " + ErrorText());
  }
  X509_free(leaf);
  while (X509* extra = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    SSL_CTX_add0_chain_cert(ctx, extra);
  }
  BIO_free(bio);
  ERR_clear_error();

  BIO* key_bio = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(key_bio, nullptr, nullptr, nullptr);
  BIO_free(key_bio);
  // The second check finds a key of another type than the certificate's.
  const bool used = key != nullptr && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
                    SSL_CTX_check_private_key(ctx) == 1;
  EVP_PKEY_free(key);
  if (!used) return InvalidArgument("client key: " + ErrorText());
  return OkStatus();
}

// OpenSSL's typed stacks are macros with C casts.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
STACK_OF(X509_NAME) * CaNames(const std::vector<std::string>& subjects) {
  STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
  for (const std::string& der : subjects) {
    const auto* data = reinterpret_cast<const unsigned char*>(der.data());
    X509_NAME* name = d2i_X509_NAME(nullptr, &data, static_cast<long>(der.size()));
    if (name != nullptr) sk_X509_NAME_push(names, name);
  }
  return names;
}
#pragma GCC diagnostic pop

struct FreeContext {
  void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
};
using OwnedContext = std::unique_ptr<SSL_CTX, FreeContext>;

// With the algorithms of `library`, and the pair that `reader` has. Null: those have none for it.
OwnedContext WithPairOf(SSL_CTX* reader, OSSL_LIB_CTX* library) {
  OwnedContext ctx(SSL_CTX_new_ex(library, nullptr, TLS_server_method()));
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(reader, &chain);
  if (ctx == nullptr || SSL_CTX_use_cert_and_key(ctx.get(), SSL_CTX_get0_certificate(reader),
                                                 SSL_CTX_get0_privatekey(reader), chain, 1) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return ctx;
}

// A context with the serving pair. A key's file needs decoders that handshakes do not, and a key of
// another kind than the common ones needs all of OpenSSL.
StatusOr<OwnedContext> ReadServerPair(const TlsServerContext::Options& options) {
  OwnedContext reader(SSL_CTX_new(TLS_server_method()));
  if (reader == nullptr) return Internal("SSL_CTX_new: " + ErrorText());
  if (SSL_CTX_use_certificate_chain_file(reader.get(), options.cert_file.c_str()) != 1) {
    return InvalidArgument(
        fmt::format("--tls-cert-file: cannot load \"{}\": {}", options.cert_file, ErrorText()));
  }
  if (SSL_CTX_use_PrivateKey_file(reader.get(), options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(reader.get()) != 1) {
    return InvalidArgument(
        fmt::format("--tls-private-key-file: cannot use \"{}\" with the certificate in \"{}\": {}",
                    options.key_file, options.cert_file, ErrorText()));
  }
  if (OwnedContext quick = WithPairOf(reader.get(), HandshakeAlgorithms())) return quick;
  return reader;
}

bool IsIpAddress(const std::string& name) {
  unsigned char buffer[16];
  return inet_pton(AF_INET, name.c_str(), buffer) == 1 ||
         inet_pton(AF_INET6, name.c_str(), buffer) == 1;
}

}  // namespace

StatusOr<std::shared_ptr<const TlsServerContext>> TlsServerContext::Make(const Options& options) {
  StatusOr<OwnedContext> read = ReadServerPair(options);
  if (!read.ok()) return read.status();
  SSL_CTX* const ctx = read->get();
  std::shared_ptr<const TlsServerContext> context(new TlsServerContext(read->release()));
  SetCommonOptions(ctx);
  SSL_CTX_set_num_tickets(ctx, 0);
  if (options.tls13_only) SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
  if (!options.cipher_list.empty() &&
      SSL_CTX_set_cipher_list(ctx, options.cipher_list.c_str()) != 1) {
    return InvalidArgument("--tls-cipher-suites: OpenSSL has none of them: " + ErrorText());
  }
  SSL_CTX_set_alpn_select_cb(ctx, SelectProtocol, options.http2 ? ctx : nullptr);
  // A certificate is asked for, never required, and judged per request by the authenticator.
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(ctx, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  SSL_CTX_set_client_CA_list(ctx, CaNames(options.ca_subjects));
  return context;
}

TlsServerContext::~TlsServerContext() { SSL_CTX_free(ctx_); }
SSL* TlsServerContext::NewSsl() const { return SSL_new(ctx_); }

StatusOr<std::shared_ptr<const TlsClientContext>> TlsClientContext::Make(const Options& options) {
  SSL_CTX* ctx = SSL_CTX_new(TLS_client_method());
  if (ctx == nullptr) return Internal("SSL_CTX_new: " + ErrorText());
  std::shared_ptr<const TlsClientContext> context(
      new TlsClientContext(ctx, !options.insecure_skip_verify));
  SetCommonOptions(ctx);
  SSL_CTX_set_alpn_protos(ctx, kProtocols, kProtocolsLength);
  if (!options.cert_pem.empty()) WEIR_TRY(UseClientPair(ctx, options.cert_pem, options.key_pem));
  if (options.insecure_skip_verify) return context;
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  if (options.ca_pem.empty()) {
    SSL_CTX_set_default_verify_paths(ctx);
  } else {
    WEIR_TRY(AddCaPem(ctx, options.ca_pem));
  }
  return context;
}

TlsClientContext::~TlsClientContext() { SSL_CTX_free(ctx_); }

SSL* TlsClientContext::NewSsl(const std::string& server_name, bool http2) const {
  SSL* ssl = SSL_new(ctx_);
  if (ssl == nullptr) return nullptr;
  if (http2) SSL_set_alpn_protos(ssl, kBothProtocols, kBothProtocolsLength);
  if (IsIpAddress(server_name)) {
    if (verify_) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name.c_str());
  } else {
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(server_name.c_str()));
    if (verify_) {
      SSL_set_hostflags(ssl,
                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      SSL_set1_host(ssl, server_name.c_str());
    }
  }
  return ssl;
}

std::vector<std::string> PeerCertificates(SSL* ssl) {
  std::vector<std::string> certificates;
  const auto add = [&certificates](X509* cert) {
    unsigned char* der = nullptr;
    const int length = i2d_X509(cert, &der);
    if (length > 0)
      certificates.emplace_back(reinterpret_cast<char*>(der), static_cast<size_t>(length));
    OPENSSL_free(der);
  };
  X509* leaf = SSL_get0_peer_certificate(ssl);
  if (leaf == nullptr) return certificates;
  add(leaf);
  // On the server's side the chain is without the leaf.
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; i < sk_X509_num(chain); ++i) add(sk_X509_value(chain, i));
  return certificates;
}

std::string_view NegotiatedProtocol(SSL* ssl) {
  const unsigned char* data = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl, &data, &length);
  return {reinterpret_cast<const char*>(data), length};
}

}  // namespace weir
