#include "bench/fleet/informer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "protocol/k8s/metadata_scan.h"

namespace weir::fleet {

namespace {

constexpr Duration kConnectTime = std::chrono::seconds(30);
constexpr Duration kAnswerTime = std::chrono::seconds(60);
constexpr Duration kGrace = std::chrono::seconds(30);  // Over a watch's own timeoutSeconds.
constexpr size_t kMaxErrorBody = 64 * 1024;
constexpr size_t kListHead = 4096;  // A list's revision stands in its first bytes.

// Refusals are no faults: kept apart from the others by their code.
Status RefusedForNow(std::string_view text) { return ResourceExhausted(text); }

// The object of an event in a buffer that MetadataScanner may read beyond the end of.
std::string_view PaddedObject(const EventLine& event, std::string& buffer) {
  static constexpr std::string_view kObject = "\"object\":";
  const size_t begin = event.line.find(kObject) + kObject.size();
  const size_t size = event.line.size() - begin - 1;
  buffer.assign(event.line.substr(begin, size));
  buffer.append(MetadataScanner::kPadding, '\0');
  return std::string_view(buffer).substr(0, size);
}

}  // namespace

Informer::Informer(Shared& shared, WatchTarget target, bool sampled)
    : shared_(shared), target_(std::move(target)), sampled_(sampled), pause_(shared.worker) {}

Async<void> Informer::Run() {
  for (;;) {
    const Status status = co_await Step();
    if (status.ok()) {
      failures_ = 0;
      continue;
    }
    if (shared_.ending) co_return;
    if (absl::IsResourceExhausted(status)) {
      ++shared_.tally.refused;
    } else {
      ++shared_.tally.errors;
    }
    shared_.tally.Note(fmt::format("{}: {}", KindName(target_.kind), Message(status)));
    connection_.reset();
    ++failures_;
    co_await Pause();
  }
}

Async<void> Informer::Pause() {
  const double seconds = std::min(0.2 * static_cast<double>(1u << std::min(failures_, 8u)), 30.0);
  std::uniform_real_distribution<double> jitter(0.5, 1.5);
  co_await pause_.Wait(shared_.worker.Now() +
                       Duration(static_cast<int64_t>(seconds * jitter(shared_.random) * 1e9)));
}

Async<Status> Informer::Step() {
  if (connection_ == nullptr || !connection_->reusable()) {
    WEIR_CO_TRY(co_await Connect(connection_));
  }
  if (next_ == Next::kList) co_return co_await List();
  co_return co_await Watch();
}

Async<Status> Informer::Connect(std::unique_ptr<UpstreamConnection>& connection) {
  connection.reset();
  const TimePoint deadline = shared_.worker.Now() + kConnectTime;
  const size_t endpoint = shared_.random() % shared_.upstream.endpoints().count();
  StatusOr<std::unique_ptr<UpstreamConnection>> opened = co_await UpstreamConnection::Open(
      shared_.worker, shared_.upstream, CredentialClass::kOwn, endpoint, deadline);
  if (!opened.ok()) co_return opened.status();
  connection = std::move(*opened);
  co_return OkStatus();
}

std::string Informer::ListTarget(std::string_view revision) const {
  std::string target = target_.path;
  char separator = '?';
  for (const std::string_view part : {std::string_view(target_.selectors), revision}) {
    if (part.empty()) continue;
    target += separator;
    target += part;
    separator = '&';
  }
  return target;
}

std::string Informer::WatchTargetPath() {
  // As client-go: at random in one to two times the least, so that a fleet's watches do not end
  // together.
  const auto least = static_cast<uint64_t>(shared_.watch_timeout.count());
  const uint64_t seconds = least + shared_.random() % (least + 1);
  return ListTarget(
      fmt::format("allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}&watch=true",
                  last_.value, seconds));
}

Async<StatusOr<int>> Informer::Get(UpstreamConnection& connection, std::string target,
                                   std::string& error_body) {
  http::RequestHead head;
  head.method = "GET";
  head.target = std::move(target);
  head.headers.Add("Accept", "application/json");
  head.headers.Add("User-Agent", "weir-fleet");
  if (std::string token = shared_.upstream.OwnAuthorization(); !token.empty())
    head.headers.Add("Authorization", token);
  WEIR_CO_TRY(co_await connection.SendHead(std::move(head)));
  const StatusOr<http::ResponseHead> answer = co_await connection.ReadHead("GET", kAnswerTime);
  if (!answer.ok()) co_return answer.status();
  if (answer->status == 200) co_return 200;
  while (!connection.body_done()) {
    const StatusOr<std::string_view> piece = co_await connection.ReadBody();
    if (!piece.ok()) co_return piece.status();
    if (error_body.size() < kMaxErrorBody) error_body.append(*piece);
  }
  co_return answer->status;
}

Status Informer::Refused(int status, const std::string& body) {
  if (status == 410) {
    ++shared_.tally.relists;
    next_ = Next::kList;
    expired_ = true;
    return OkStatus();
  }
  const StatusSummary summary = ReadStatus(body);
  const std::string text = fmt::format("HTTP {} {}", status, summary.message.substr(0, 120));
  if (status == 429 || status == 503 || status == 504) return RefusedForNow(text);
  return Unavailable(text);
}

Async<Status> Informer::List() {
  const TimePoint begin = shared_.worker.Now();
  std::string error_body;
  std::string target = ListTarget(expired_ ? "" : "resourceVersion=0");
  const StatusOr<int> status = co_await Get(*connection_, std::move(target), error_body);
  if (!status.ok()) co_return status.status();
  if (*status != 200) co_return Refused(*status, error_body);
  const StatusOr<Revision> revision = co_await ReadList(*connection_, sampled_ ? &known_ : nullptr);
  if (!revision.ok()) co_return revision.status();
  ++shared_.tally.lists;
  shared_.tally.list_time.Add(shared_.worker.Now() - begin);
  if (*revision < last_) {
    ++shared_.tally.backwards;
    shared_.tally.Note(fmt::format("{}: a list at {} after {}", KindName(target_.kind),
                                   revision->value, last_.value));
  }
  last_ = *revision;
  any_event_ = false;
  expired_ = false;
  next_ = Next::kWatch;
  co_return OkStatus();
}

Async<StatusOr<Revision>> Informer::ReadList(UpstreamConnection& connection, KnownState* into) {
  std::optional<JsonListReader> reader;
  if (into != nullptr) reader.emplace(into->BeginList());
  std::string head;
  connection.SetDeadline(shared_.worker.Now() + kAnswerTime);
  while (!connection.body_done()) {
    const StatusOr<std::string_view> piece = co_await connection.ReadBody();
    if (!piece.ok()) co_return piece.status();
    shared_.tally.list_bytes += piece->size();
    if (head.size() < kListHead) head.append(piece->substr(0, kListHead));
    if (reader.has_value()) WEIR_CO_TRY(reader->Feed(*piece));
  }
  connection.SetDeadline(TimePoint::max());
  const std::optional<Revision> revision = FirstRevision(head);
  if (!revision.has_value()) co_return InvalidArgument("a list without a revision");
  if (reader.has_value()) {
    const StatusOr<ListSummary> summary = reader->Finish();
    if (!summary.ok()) co_return summary.status();
  }
  co_return *revision;
}

Async<Status> Informer::Watch() {
  std::string error_body;
  const StatusOr<int> status = co_await Get(*connection_, WatchTargetPath(), error_body);
  if (!status.ok()) co_return status.status();
  if (*status != 200) co_return Refused(*status, error_body);
  ++shared_.tally.watches;
  if (!synced_) {
    synced_ = true;
    ++shared_.tally.synced;
    shared_.tally.last_synced = shared_.worker.Now() - shared_.started;
  }
  connection_->SetDeadline(shared_.worker.Now() + 2 * shared_.watch_timeout + kGrace);
  const Status ended = co_await ReadEvents();
  connection_->SetDeadline(TimePoint::max());
  co_return ended;
}

Async<Status> Informer::ReadEvents() {
  lines_ = EventLines();
  while (!connection_->body_done()) {
    const StatusOr<std::string_view> piece = co_await connection_->ReadBody();
    if (!piece.ok()) co_return piece.status();
    shared_.tally.watch_bytes += piece->size();
    WEIR_CO_TRY(OnPiece(*piece));
  }
  if (lines_.incomplete()) co_return Unavailable("a watch that ended inside an event");
  ++shared_.tally.clean_ends;
  co_return OkStatus();
}

Status Informer::OnPiece(std::string_view piece) {
  lines_.Feed(piece);
  EventLine event;
  for (;;) {
    WEIR_ASSIGN_OR_RETURN(const bool whole, lines_.Next(event));
    if (!whole) return OkStatus();
    WEIR_TRY(OnEvent(event));
  }
}

Status Informer::OnEvent(const EventLine& event) {
  if (event.type == FrameType::kError) return OnError(event);
  if (event.type == FrameType::kBookmark) {
    ++shared_.tally.bookmarks;
    if (event.revision < last_) {
      ++shared_.tally.backwards;
      shared_.tally.Note(fmt::format("{}: a bookmark at {} after {}", KindName(target_.kind),
                                     event.revision.value, last_.value));
    }
    last_ = std::max(last_, event.revision);
    any_event_ = false;
    return OkStatus();
  }
  ++shared_.tally.events;
  CheckOrder(event.revision);
  NoteTimes(event);
  if (!sampled_) return OkStatus();
  std::string buffer;
  return known_.Apply(event.type, PaddedObject(event, buffer));
}

Status Informer::OnError(const EventLine& event) {
  std::string buffer;
  const StatusSummary summary = ReadStatus(PaddedObject(event, buffer));
  if (summary.code != 410)
    return Unavailable(fmt::format("ERROR event {} {}", summary.code, summary.message));
  ++shared_.tally.relists;
  next_ = Next::kList;
  expired_ = true;
  return OkStatus();
}

void Informer::CheckOrder(Revision revision) {
  if (revision > last_) {
    last_ = revision;
    any_event_ = true;
    return;
  }
  const bool again = revision == last_ && any_event_;
  ++(again ? shared_.tally.duplicate : shared_.tally.reordered);
  shared_.tally.Note(fmt::format("{}: an event at {} after {}", KindName(target_.kind),
                                 revision.value, last_.value));
}

void Informer::NoteTimes(const EventLine& event) {
  const TimePoint now = shared_.worker.Now();
  if (const auto spread = shared_.first_seen.Note(target_.kind, event.revision, now))
    shared_.tally.spread.Add(*spread);
  if (shared_.time_annotation.empty()) return;
  const size_t key = event.line.find(shared_.time_annotation);
  if (key == std::string_view::npos) return;
  const std::string_view digits = event.line.substr(key + shared_.time_annotation.size());
  int64_t sent = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), sent);
  if (error != std::errc() || end == digits.data()) return;
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  shared_.tally.age.Add(std::chrono::duration_cast<Duration>(wall) - Duration(sent));
}

Async<void> Informer::Check() {
  std::unique_ptr<UpstreamConnection> connection;
  Status status = co_await Connect(connection);
  KnownState list;
  Revision listed_at;
  if (status.ok()) {
    std::string error_body;
    const StatusOr<int> answer = co_await Get(*connection, ListTarget(""), error_body);
    status = answer.ok() ? OkStatus() : answer.status();
    if (answer.ok() && *answer != 200) status = Unavailable(fmt::format("HTTP {}", *answer));
  }
  if (status.ok()) {
    const StatusOr<Revision> revision = co_await ReadList(*connection, &list);
    status = revision.status();
    if (revision.ok()) listed_at = *revision;
  }
  if (!status.ok()) {
    ++shared_.tally.errors;
    shared_.tally.Note(
        fmt::format("{}: the last list: {}", KindName(target_.kind), Message(status)));
    co_return;
  }
  Signal pause(shared_.worker);
  // Once something is known to be lost the others are not waited for so long.
  const Duration settle = shared_.tally.lost == 0 ? shared_.settle : shared_.settle / 10;
  const TimePoint deadline = shared_.worker.Now() + settle;
  std::string first;
  size_t differences = known_.Differences(list, listed_at, first);
  while (differences > 0 && shared_.worker.Now() < deadline) {
    co_await pause.Wait(shared_.worker.Now() + std::chrono::milliseconds(50));
    differences = known_.Differences(list, listed_at, first);
  }
  ++shared_.tally.checked;
  shared_.tally.checked_objects += list.size();
  shared_.tally.lost += differences;
  if (differences > 0)
    shared_.tally.Note(
        fmt::format("{}: {} in the list at {}", KindName(target_.kind), first, listed_at.value));
}

}  // namespace weir::fleet
