#include "protocol/k8s/metadata_scan.h"

#include <cstdint>
#include <limits>

#include "protocol/base/json_walk.h"
#include "protocol/k8s/object_identity.h"
#include "protocol/k8s/proto_scan.h"

namespace weir {
namespace {

constexpr std::string_view kKindKey = R"("kind":")";
constexpr std::string_view kApiVersionKey = R"(","apiVersion":")";

// The bytes of `"kind":"Pod","apiVersion":"v1",` at the start of `body`; empty where they are not.
std::string_view TypePrefix(std::string_view body) {
  if (!body.starts_with(kKindKey)) return {};
  const size_t kind_end = body.find('"', kKindKey.size());
  if (kind_end == std::string_view::npos) return {};
  if (!body.substr(kind_end).starts_with(kApiVersionKey)) return {};
  const size_t version_end = body.find('"', kind_end + kApiVersionKey.size());
  if (version_end == std::string_view::npos) return {};
  const std::string_view prefix = body.substr(0, version_end + 2);
  const bool plain = prefix.ends_with("\",") && prefix.find('\\') == std::string_view::npos;
  return plain ? prefix : std::string_view();
}

// Reads one item; views are kept and become spans once it is known where `rest` begins.
class Scan {
 public:
  Scan(std::string_view item, const SelectableFields& fields)
      : item_(item), walk_(item), fields_(fields) {}

  StatusOr<ScannedObject> Run() {
    if (!walk_.EnterObject()) return InvalidArgument("object: does not begin with a brace");
    for (std::string_view key; walk_.NextKey(key);) TakeMember(key);
    if (walk_.failed() || repeated_) return InvalidArgument("object: malformed JSON");
    if (!walk_.at_end()) return InvalidArgument("object: bytes behind its end");
    WEIR_TRY(Check());
    return Finish();
  }

 private:
  void TakeMember(std::string_view key) {
    if (key == "metadata") {
      TakeMetadata();
    } else if (key == "kind") {
      TakeString(kind_);
    } else if (key == "apiVersion") {
      TakeString(api_version_);
    } else {
      TakeFields(key, fields_.json_tree());
    }
  }

  // The value of `key` inside the one that `around` stands for.
  void TakeFields(std::string_view key, const FieldTree& around) {
    const FieldTree* const wanted = around.Find(key);
    if (wanted != nullptr && !wanted->inside.empty() && walk_.EnterObject()) {
      for (std::string_view inner; walk_.NextKey(inner);) TakeFields(inner, *wanted);
    } else if (wanted != nullptr && wanted->field) {
      TakeField(field_values_[*wanted->field]);
    } else {
      walk_.Skip();
    }
  }

  // A string without its quotes, or a literal as it is written. Anything else has no value; of
  // several values the last counts, as in Go.
  void TakeField(std::string_view& value) {
    switch (walk_.peek()) {
      case '"':
        value = walk_.String();
        break;
      case '{':
      case '[':
      case 'n':
        value = walk_.Skip().substr(0, 0);
        break;
      default:
        value = walk_.Skip();
    }
  }

  void TakeMetadata() {
    if (metadata_.data() != nullptr) repeated_ = true;
    const size_t start = walk_.position();
    if (!walk_.EnterObject()) {
      metadata_ = walk_.Skip();
      return;
    }
    for (std::string_view key; walk_.NextKey(key);) {
      if (key == "name") {
        TakeString(name_);
      } else if (key == "namespace") {
        TakeString(namespace_);
      } else if (key == "uid") {
        TakeString(uid_);
      } else if (key == "resourceVersion") {
        TakeString(revision_);
      } else if (key == "labels") {
        TakeLabels();
      } else {
        walk_.Skip();
      }
    }
    metadata_ = item_.substr(start, walk_.position() - start);
  }

  void TakeLabels() {
    if (labels_.data() != nullptr) repeated_ = true;
    const bool is_object = walk_.peek() == '{';
    const std::string_view value = walk_.Skip();
    labels_ = is_object ? value : value.substr(0, 0);
  }

  void TakeString(std::string_view& value) {
    if (value.data() != nullptr) repeated_ = true;
    value = walk_.PlainString();
  }

  Status Check() {
    WEIR_TRY(CheckObjectNames(namespace_, name_));
    if (labels_.find('\\') != std::string_view::npos) {
      return InvalidArgument("object: an escape in its labels");
    }
    WEIR_ASSIGN_OR_RETURN(revision_number_, ParseRevision(revision_));
    return OkStatus();
  }

  ScannedObject Finish() const {
    ScannedObject object;
    const std::string_view body = item_.substr(1);
    object.type_prefix = TypePrefix(body);
    object.rest = body.substr(object.type_prefix.size());
    object.kind = kind_;
    object.api_version = api_version_;
    object.namespace_ = namespace_;
    object.name = name_;
    object.uid = uid_;
    object.revision = revision_number_;
    object.revision_digits = SpanOf(revision_, object.rest);
    object.metadata = SpanOf(metadata_, object.rest);
    object.labels = SpanOf(labels_, object.rest);
    object.field_count = fields_.size();
    for (size_t i = 0; i < fields_.size(); ++i) {
      object.fields[i] = SpanOf(field_values_[i], object.rest);
    }
    return object;
  }

  static Span SpanOf(std::string_view part, std::string_view whole) {
    if (part.empty()) return {};
    return {static_cast<uint32_t>(part.data() - whole.data()), static_cast<uint32_t>(part.size())};
  }

  const std::string_view item_;
  JsonWalk walk_;
  const SelectableFields& fields_;
  bool repeated_ = false;
  Revision revision_number_;
  // As long as data() is null the key has not been seen.
  std::string_view kind_, api_version_, metadata_, namespace_, name_, uid_, revision_, labels_;
  std::array<std::string_view, SelectableFields::kMax> field_values_;
};

}  // namespace

MetadataScanner::MetadataScanner()
    : MetadataScanner(Encoding::kJson, std::make_shared<const SelectableFields>()) {}

StatusOr<ScannedObject> MetadataScanner::Scan(std::string_view item) const {
  if (item.size() > std::numeric_limits<uint32_t>::max()) {
    return InvalidArgument("object: larger than 4 GiB");
  }
  return IsProtobuf(encoding_) ? ScanProtobuf(item, *fields_) : weir::Scan(item, *fields_).Run();
}

}  // namespace weir
