// From a certificate to a user, as kube-apiserver's CommonName conversion (auth-and-forwarding
// A.2).
#pragma once

#include <openssl/x509.h>

#include <string>
#include <string_view>

#include "protocol/base/status.h"
#include "proxy/auth/identity.h"

namespace weir {

// Name: the last CN in DER order. Groups: all O values, in order, repetitions kept. Uid: the
// attribute 1.3.6.1.4.1.57683.2. Extra: the leaf's SHA-256. Without system:authenticated.
// InvalidArgument: no name, or a subject that Go would not parse, or a uid that is empty or there
// twice.
StatusOr<Identity> IdentityOfSubject(X509* leaf);

// A string of a subject as UTF-8, embedded NULs and all; InvalidArgument where Go's parser refuses
// the certificate.
StatusOr<std::string> SubjectString(int asn1_type, std::string_view bytes);

}  // namespace weir
