// Makes X.509 certificates of every odd kind for tests.
//
//   TestCa root("root");
//   const TestCertificate alice = root.Issue({.subject = {{"O", "dev"}, {"CN", "alice"}}});
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir {

struct TestCertificate {
  std::string der;
  std::string pem;
  std::string key_pem;
};

struct CertificateSpec {
  // Attribute (short name or dotted OID) and value, in DER order; values may hold NULs.
  std::vector<std::pair<std::string, std::string>> subject = {};
  std::optional<std::string> extended_key_usage =
      "clientAuth";            // OpenSSL's names; unset: no extension.
  std::string alt_names = "";  // "DNS:localhost,IP:127.0.0.1"
  bool ca = false;
  int valid_from_seconds = -3600;  // From now.
  int valid_for_seconds = 3600;    // From now; negative: expired.
  int value_type = 0;              // ASN.1 string type of the values (V_ASN1_…); 0: UTF8String.
};

// A key and a certificate that signs others. ECDSA P-256, so making one takes well under a
// millisecond.
class TestCa {
 public:
  explicit TestCa(const std::string& common_name);  // Self-signed.
  ~TestCa();
  TestCa(TestCa&&) noexcept;
  TestCa(const TestCa&) = delete;
  TestCa& operator=(const TestCa&) = delete;

  TestCertificate Issue(const CertificateSpec& spec) const;
  // An authority below this one; no extended key usage unless given.
  TestCa IssueCa(const std::string& common_name,
                 std::optional<std::string> extended_key_usage = std::nullopt) const;

  const TestCertificate& certificate() const { return certificate_; }

 private:
  struct Keys;
  explicit TestCa(std::unique_ptr<Keys> keys);

  std::unique_ptr<Keys> keys_;
  TestCertificate certificate_;
};

}  // namespace weir
