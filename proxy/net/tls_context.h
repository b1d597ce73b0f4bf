// TLS settings of the server and of the client side, as auth-and-forwarding E.3 wants them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/status.h"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace weir {

// Immutable, thread-safe, shared; a reload makes a new one for new handshakes.
class TlsServerContext {
 public:
  struct Options {
    std::string cert_file;  // PEM: the leaf, then intermediates.
    std::string key_file;   // PEM.
    std::vector<std::string>
        ca_subjects;  // DER names, offered to clients that choose a certificate.
    bool tls13_only = false;
    std::string cipher_list;  // OpenSSL's, of TLS 1.2; empty: the default.
    bool http2 = true;        // Offered beside HTTP/1.1, and preferred.
  };
  // InvalidArgument names the option and the file.
  static StatusOr<std::shared_ptr<const TlsServerContext>> Make(const Options& options);
  ~TlsServerContext();

  // A server's SSL without a BIO; the caller frees it (Stream does). Null: out of memory.
  SSL* NewSsl() const;

 private:
  explicit TlsServerContext(SSL_CTX* ctx) : ctx_(ctx) {}
  SSL_CTX* ctx_;
};

class TlsClientContext {
 public:
  struct Options {
    std::string ca_pem;             // Empty: the system's roots.
    std::string cert_pem, key_pem;  // Both or none.
    bool insecure_skip_verify = false;
  };
  static StatusOr<std::shared_ptr<const TlsClientContext>> Make(const Options& options);
  ~TlsClientContext();

  // `server_name` is verified against the certificate; sent as SNI unless it is an IP address.
  // `http2`: offered, and preferred to HTTP/1.1.
  SSL* NewSsl(const std::string& server_name, bool http2 = false) const;

 private:
  TlsClientContext(SSL_CTX* ctx, bool verify) : ctx_(ctx), verify_(verify) {}
  SSL_CTX* ctx_;
  bool verify_;
};

// The peer's certificates, DER, leaf first; empty where it sent none.
std::vector<std::string> PeerCertificates(SSL* ssl);
// What ALPN agreed on; "" for nothing.
std::string_view NegotiatedProtocol(SSL* ssl);

}  // namespace weir
