// OpenSSL's default provider without what no handshake of ours can use.
//
// OpenSSL 3 finds the decoder of a peer's public key by asking every decoder and every key type it
// has, dozens of them, each under locks: with 3.0 that is a third of a handshake with a
// client certificate (3.2 and later remember more of it). Here is a library context whose only
// provider lends the default one's algorithms, all of them but these:
//
//   decoders      only those of a certificate's public key, of the types that sign
//   key types     only those that sign, those that agree on a key, and those of key derivation
//   encoders      none
#pragma once

typedef struct ossl_lib_ctx_st OSSL_LIB_CTX;

namespace weir {

// For SSL_CTX_new_ex(). Null is OpenSSL's own context: where its configuration has activated other
// providers than "default", or asks for FIPS, its choices stand. Of the process, made once, never
// freed. Private keys cannot be read with it. Thread-safe.
OSSL_LIB_CTX* HandshakeAlgorithms();

}  // namespace weir
