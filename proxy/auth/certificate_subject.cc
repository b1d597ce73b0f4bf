#include "proxy/auth/certificate_subject.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include <algorithm>

namespace weir {
namespace {

constexpr std::string_view kUidOid = "1.3.6.1.4.1.57683.2";
constexpr const char* kCredentialId = "authentication.kubernetes.io/credential-id";

void AppendUtf8(uint32_t rune, std::string& out) {
  if (rune < 0x80) {
    out += static_cast<char>(rune);
  } else if (rune < 0x800) {
    out += static_cast<char>(0xc0 | (rune >> 6));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  } else if (rune < 0x10000) {
    out += static_cast<char>(0xe0 | (rune >> 12));
    out += static_cast<char>(0x80 | ((rune >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (rune >> 18));
    out += static_cast<char>(0x80 | ((rune >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((rune >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (rune & 0x3f));
  }
}

std::string FromLatin1(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) AppendUtf8(static_cast<uint8_t>(c), out);
  return out;
}

// UTF-16, big endian; a lone surrogate becomes U+FFFD and one final zero is dropped, as in Go.
StatusOr<std::string> FromBmp(std::string_view bytes) {
  if (bytes.size() % 2 != 0) return InvalidArgument("a BMPString of odd length");
  if (bytes.ends_with(std::string_view("\0\0", 2))) bytes.remove_suffix(2);
  const auto unit = [bytes](size_t i) -> uint32_t {
    return (uint32_t{static_cast<uint8_t>(bytes[i])} << 8) | static_cast<uint8_t>(bytes[i + 1]);
  };
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    uint32_t rune = unit(i);
    const bool high = rune >= 0xd800 && rune < 0xdc00;
    const uint32_t next = high && i + 2 < bytes.size() ? unit(i + 2) : 0;
    if (high && next >= 0xdc00 && next < 0xe000) {
      rune = 0x10000 + ((rune - 0xd800) << 10) + (next - 0xdc00);
      i += 2;
    } else if (rune >= 0xd800 && rune < 0xe000) {
      rune = 0xfffd;
    }
    AppendUtf8(rune, out);
  }
  return out;
}

// Shortest forms, no surrogates, up to U+10FFFF.
bool IsUtf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead >= 0x80 && (lead < 0xc2 || lead > 0xf4)) return false;
    if (text.size() - i < size) return false;
    uint32_t rune = size == 1 ? lead : lead & (0xffu >> (size + 1));
    for (size_t k = 1; k < size; ++k) {
      const auto byte = static_cast<uint8_t>(text[i + k]);
      if ((byte & 0xc0) != 0x80) return false;
      rune = (rune << 6) | (byte & 0x3fu);
    }
    if (size == 3 && (rune < 0x800 || (rune >= 0xd800 && rune < 0xe000))) return false;
    if (size == 4 && (rune < 0x10000 || rune > 0x10ffff)) return false;
    i += size;
  }
  return true;
}

// Go's PrintableString: the standard's letters and, because they are in use, `*` and `&`.
bool IsPrintableStringByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c >= '\'' && c <= ')') || (c >= '+' && c <= '/') || c == ' ' || c == ':' || c == '=' ||
         c == '?' || c == '*' || c == '&';
}

StatusOr<std::string> Checked(std::string_view bytes, bool (*allowed)(char)) {
  if (!std::all_of(bytes.begin(), bytes.end(), allowed)) {
    return InvalidArgument("a string that holds what its type forbids");
  }
  return std::string(bytes);
}

std::string OidOf(X509_NAME_ENTRY* entry) {
  char text[128];
  const int size = OBJ_obj2txt(text, sizeof text, X509_NAME_ENTRY_get_object(entry), 1);
  if (size <= 0 || static_cast<size_t>(size) >= sizeof text) return {};
  return std::string(text, static_cast<size_t>(size));
}

StatusOr<std::string> ValueOf(X509_NAME_ENTRY* entry) {
  const ASN1_STRING* const data = X509_NAME_ENTRY_get_data(entry);
  const auto* const bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(data));
  return SubjectString(ASN1_STRING_type(data),
                       std::string_view(bytes, static_cast<size_t>(ASN1_STRING_length(data))));
}

StatusOr<std::string> CredentialId(X509* leaf) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(leaf, EVP_sha256(), digest, &size) != 1) return Internal("no SHA-256");
  std::string id = "X509SHA256=";
  for (unsigned int i = 0; i < size; ++i) id += fmt::format("{:02x}", digest[i]);
  return id;
}

}  // namespace

StatusOr<std::string> SubjectString(int asn1_type, std::string_view bytes) {
  switch (asn1_type) {
    case V_ASN1_UTF8STRING:
      if (!IsUtf8(bytes)) return InvalidArgument("a UTF8String that is none");
      return std::string(bytes);
    case V_ASN1_PRINTABLESTRING:
      return Checked(bytes, IsPrintableStringByte);
    case V_ASN1_NUMERICSTRING:
      return Checked(bytes, [](char c) { return (c >= '0' && c <= '9') || c == ' '; });
    case V_ASN1_IA5STRING:
      return Checked(bytes, [](char c) { return static_cast<uint8_t>(c) < 0x80; });
    case V_ASN1_T61STRING:
      return FromLatin1(bytes);
    case V_ASN1_BMPSTRING:
      return FromBmp(bytes);
    default:
      return InvalidArgument("a value of a type that is no string");
  }
}

StatusOr<Identity> IdentityOfSubject(X509* leaf) {
  Identity identity;
  identity.method = Identity::Method::kCertificate;
  X509_NAME* const subject = X509_get_subject_name(leaf);
  bool has_uid = false;
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    X509_NAME_ENTRY* const entry = X509_NAME_get_entry(subject, i);
    WEIR_ASSIGN_OR_RETURN(std::string value, ValueOf(entry));
    const std::string oid = OidOf(entry);
    if (oid == "2.5.4.3") {
      identity.name = std::move(value);
    } else if (oid == "2.5.4.10") {
      identity.groups.push_back(std::move(value));
    } else if (oid == kUidOid) {
      if (has_uid || value.empty()) return InvalidArgument("a uid that is empty or there twice");
      has_uid = true;
      identity.uid = std::move(value);
    }
  }
  if (identity.name.empty()) return InvalidArgument("no common name");
  WEIR_ASSIGN_OR_RETURN(std::string id, CredentialId(leaf));
  identity.extra[kCredentialId] = {std::move(id)};
  return identity;
}

}  // namespace weir
