#include "cache/list_load.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace weir {
namespace {

constexpr Duration kBodyStall = std::chrono::seconds(30);

std::optional<Revision> ParseRevision(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Revision{value};
}

// Tokens are base64url today; they are opaque all the same.
void AppendEscaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
}

bool SameState(const Object& a, const Object& b) {
  return a.revision() == b.revision() && a.rest() == b.rest();
}

}  // namespace

ListLoad::ListLoad(ListWatcher& upstream, std::string collection_path, Options options, Done done)
    : upstream_(upstream),
      path_(std::move(collection_path)),
      options_(std::move(options)),
      done_(std::move(done)),
      scanner_(options_.encoding, options_.fields) {
  AskPage("");
}

ListLoad::~ListLoad() = default;

void ListLoad::AskPage(const std::string& continue_token) {
  reader_ =
      MakeListReader(options_.encoding, [this](std::string_view item) { return TakeItem(item); });
  ApiRequest request;
  request.target = fmt::format("{}?limit={}", path_, options_.page_size);
  if (!continue_token.empty()) {
    request.target += "&continue=";
    AppendEscaped(continue_token, request.target);
  }
  request.accept = FeedAccept(options_.encoding, /*watch=*/false);
  request.head_timeout = options_.head_timeout;
  request.stall_timeout = kBodyStall;
  call_ = upstream_.Get(std::move(request), *this);
}

void ListLoad::OnHead(const ApiResponseHead& head) {
  outcome_.http = head.status;
  outcome_.retry_after = std::chrono::seconds(head.retry_after_seconds);
  if (first_page_) outcome_.list.warning = head.warning;
}

void ListLoad::OnBody(std::string_view bytes) {
  if (outcome_.http != 200) return;
  if (Status status = reader_->Feed(bytes); !status.ok()) Finish(std::move(status));
}

void ListLoad::OnEnd(const Status& status) {
  if (!status.ok()) return Finish(status);
  if (outcome_.http == 410 && !first_page_)
    return Finish(OutOfRange("the list expired between two pages"));
  if (outcome_.http != 200)
    return Finish(FailedPrecondition(fmt::format("upstream answered {}", outcome_.http)));
  if (Status ended = EndPage(); !ended.ok()) return Finish(std::move(ended));
  if (!continue_token_.empty() && !options_.first_page_only) return AskPage(continue_token_);
  Finish(SortByKey());
}

Status ListLoad::TakeItem(std::string_view item) {
  WEIR_ASSIGN_OR_RETURN(const ScannedObject scanned, scanner_.Scan(item));
  LoadedList& list = outcome_.list;
  if (list.objects.empty()) {
    list.typed_items = !scanned.kind.empty();
    list.item_kind = scanned.kind;
  }
  ObjectRef object = Object::Make(scanned, options_.encoding);
  ObjectRef known = options_.known.Find(object->key());
  if (known && SameState(*known, *object)) {
    object = std::move(known);
  } else {
    new_bytes_ += object->footprint();
    if (options_.fits && !options_.fits(new_bytes_))
      return ResourceExhausted("the objects exceed the memory budget");
  }
  if (!list.objects.empty() && list.objects.back()->key() >= object->key()) sorted_ = false;
  list.objects.push_back(std::move(object));
  return OkStatus();
}

Status ListLoad::EndPage() {
  WEIR_ASSIGN_OR_RETURN(ListSummary summary, reader_->Finish());
  const std::optional<Revision> revision = ParseRevision(summary.resource_version);
  if (!revision || revision->value == 0) {
    outcome_.opaque_revision = true;
    return InvalidArgument(
        fmt::format("resourceVersion \"{}\" is no number", summary.resource_version));
  }
  LoadedList& list = outcome_.list;
  if (!first_page_ && *revision != list.revision) {
    return OutOfRange(
        fmt::format("a page of revision {} in a list of {}", revision->value, list.revision.value));
  }
  first_page_ = false;
  list.revision = *revision;
  list.kind = std::move(summary.kind);
  list.api_version = std::move(summary.api_version);
  continue_token_ = std::move(summary.continue_token);
  return OkStatus();
}

// Upstream lists in key order since 1.28; what does not is put in order here, once.
Status ListLoad::SortByKey() {
  std::vector<ObjectRef>& objects = outcome_.list.objects;
  const auto before = [](const ObjectRef& a, const ObjectRef& b) { return a->key() < b->key(); };
  const auto not_before = [](const ObjectRef& a, const ObjectRef& b) {
    return a->key() >= b->key();
  };
  if (!sorted_) std::sort(objects.begin(), objects.end(), before);
  if (std::adjacent_find(objects.begin(), objects.end(), not_before) == objects.end())
    return OkStatus();
  return InvalidArgument("the list names an object twice");
}

void ListLoad::Finish(Status status) {
  call_.reset();
  outcome_.status = std::move(status);
  Done done = std::move(done_);
  done(std::move(outcome_));
}

}  // namespace weir
