#include "cache/discovery.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cache/upstream_json.h"
#include "protocol/base/log.h"
#include "protocol/k8s/built_in_groups.h"

namespace weir {
namespace {

bool SameType(const ResourceType& a, const ResourceType& b) {
  return a.kind == b.kind && a.namespaced == b.namespaced && a.can_list == b.can_list &&
         a.can_watch == b.can_watch;
}

}  // namespace

Discovery::Discovery(Executor& home, MakeUpstream make_upstream, Options options, Listener listener)
    : home_(home),
      make_upstream_(std::move(make_upstream)),
      options_(options),
      listener_(std::move(listener)) {}

Discovery::~Discovery() = default;

ListWatcher& Discovery::Upstream() {
  if (!upstream_) upstream_ = make_upstream_();
  return *upstream_;
}

void Discovery::Start() {
  home_.Post([self = shared_from_this()] { self->Refresh(); });
}

void Discovery::Stop() {
  stopped_ = true;
  home_.Cancel(std::exchange(timer_, 0));
  home_.Cancel(std::exchange(refresh_timer_, 0));
  groups_fetch_.reset();
  version_fetch_.reset();
  documents_.clear();
  for (Waiting& each : std::exchange(waiting_, {})) {
    each.caller->Post([done = std::move(each.done)]() mutable { done(std::nullopt); });
  }
}

void Discovery::Find(const ResourceId& id, Executor& caller, Done done) {
  if (auto known = Known(id)) return done(std::move(*known));
  home_.Post([self = shared_from_this(), id, caller = &caller, done = std::move(done)]() mutable {
    self->Wait({id, self->home_.Now() + self->options_.patience, caller, std::move(done)});
  });
}

std::optional<std::optional<DiscoveredType>> Discovery::Known(const ResourceId& id) {
  const MutexLock lock(mutex_);
  const bool built_in = IsBuiltInGroup(id.group);
  if (!built_in) {
    if (aggregated_source_ == Source::kUnavailable || custom_source_ == Source::kUnavailable) {
      return std::optional<DiscoveredType>();
    }
    if (aggregated_source_ == Source::kPending || custom_source_ == Source::kPending)
      return std::nullopt;
  }
  if (aggregated_.contains(id.ApiVersion())) return std::optional<DiscoveredType>();
  const auto found = types_.find(id);
  if (found == types_.end()) return std::nullopt;
  return DescribeLocked(found->second);
}

DiscoveredType Discovery::Describe(const ResourceType& type) const {
  const MutexLock lock(mutex_);
  return DescribeLocked(type);
}

DiscoveredType Discovery::DescribeLocked(const ResourceType& type) const {
  const auto custom = custom_.find(type.id.GroupResource());
  if (custom == custom_.end()) return {type, false, SelectableFields::BuiltIn(type.id)};
  const auto version = custom->second.find(type.id.version);
  if (version != custom->second.end()) return {type, true, version->second};
  return {type, true, SelectableFields::Custom({})};
}

bool Discovery::IsAggregated(const ResourceId& id) const {
  const MutexLock lock(mutex_);
  return aggregated_.contains(id.ApiVersion());
}

void Discovery::SetAggregated(Source source, StringSet group_versions) {
  {
    const MutexLock lock(mutex_);
    aggregated_source_ = source;
    aggregated_ = std::move(group_versions);
  }
  home_.Post([self = shared_from_this()] { self->AnswerWaiting(); });
}

void Discovery::SetCustom(Source source, CustomTypes types) {
  {
    const MutexLock lock(mutex_);
    custom_source_ = source;
    custom_ = std::move(types);
  }
  home_.Post([self = shared_from_this()] { self->AnswerWaiting(); });
}

void Discovery::Forget(const std::string& group) {
  {
    const MutexLock lock(mutex_);
    absl::erase_if(types_, [&](const auto& entry) { return entry.first.group == group; });
  }
  home_.Post([self = shared_from_this(), group] {
    self->groups_stale_ = true;
    for (auto& [name, document] : self->documents_) {
      if (document.group == group) document.stale = true;
    }
  });
}

void Discovery::Recheck(const ResourceId& id) {
  home_.Post([self = shared_from_this(), id] {
    const auto found = self->documents_.find(id.ApiVersion());
    if (found == self->documents_.end() || found->second.fetch || self->stopped_) return;
    self->FetchDocument(found->second);
  });
}

// ---- On the home executor

void Discovery::Wait(Waiting waiting) {
  if (stopped_ || waiting_.size() >= options_.max_waiting) {
    waiting.caller->Post([done = std::move(waiting.done)]() mutable { done(std::nullopt); });
    return;
  }
  waiting_.push_back(std::move(waiting));
  AnswerWaiting();
}

void Discovery::AnswerWaiting() {
  const TimePoint now = home_.Now();
  std::vector<Waiting> still;
  for (Waiting& each : std::exchange(waiting_, {})) {
    DiscoveredType type;
    const Verdict verdict = Judge(each.id, type);
    if (verdict == Verdict::kWait && each.deadline > now) {
      still.push_back(std::move(each));
      continue;
    }
    std::optional<DiscoveredType> answer;
    if (verdict == Verdict::kYes) answer = std::move(type);
    each.caller->Post([done = std::move(each.done), answer = std::move(answer)]() mutable {
      done(std::move(answer));
    });
  }
  waiting_ = std::move(still);
  ArmTimer();
}

Discovery::Verdict Discovery::Judge(const ResourceId& id, DiscoveredType& type) {
  if (stopped_) return Verdict::kNo;
  if (const auto known = Known(id)) {
    if (!*known) return Verdict::kNo;
    type = **known;
    return Verdict::kYes;
  }
  if (!IsBuiltInGroup(id.group)) {
    const MutexLock lock(mutex_);
    const bool pending =
        aggregated_source_ == Source::kPending || custom_source_ == Source::kPending;
    if (pending) return Verdict::kWait;
  }
  const TimePoint again = home_.Now() - options_.ask_again;
  const auto found = documents_.find(id.ApiVersion());
  if (found == documents_.end() || !groups_read_ || groups_stale_) {
    if (groups_fetch_) return Verdict::kWait;
    if (groups_asked_ != TimePoint() && groups_asked_ > again && !groups_stale_)
      return Verdict::kNo;
    FetchGroupVersions();
    return Verdict::kWait;
  }
  Document& document = found->second;
  if (document.fetch) return Verdict::kWait;
  if (document.asked != TimePoint() && document.asked > again && !document.stale)
    return Verdict::kNo;
  FetchDocument(document);
  return Verdict::kWait;
}

void Discovery::FetchGroupVersions() {
  groups_asked_ = home_.Now();
  groups_stale_ = false;
  groups_fetch_ = std::make_unique<DocumentFetch>(
      Upstream(), "/api", [this](StatusOr<std::string> body) { OnCoreVersions(std::move(body)); });
}

void Discovery::OnCoreVersions(StatusOr<std::string> body) {
  groups_fetch_.reset();
  StatusOr<std::vector<std::string>> versions =
      body.ok() ? ParseCoreVersions(*body) : body.status();
  if (!versions.ok()) {
    Log(LogLevel::kWarning, "Discovery failed",
        {{"path", "/api"}, {"why", Message(versions.status())}});
    Upstream().SwitchEndpoint();
    groups_asked_ = AskedForRetry();
    return AnswerWaiting();
  }
  core_versions_ = std::move(*versions);
  groups_fetch_ = std::make_unique<DocumentFetch>(
      Upstream(), "/apis", [this](StatusOr<std::string> groups) { OnGroups(std::move(groups)); });
}

void Discovery::OnGroups(StatusOr<std::string> body) {
  groups_fetch_.reset();
  StatusOr<std::vector<std::string>> names = body.ok() ? ParseGroupVersions(*body) : body.status();
  if (!names.ok()) {
    Log(LogLevel::kWarning, "Discovery failed",
        {{"path", "/apis"}, {"why", Message(names.status())}});
    Upstream().SwitchEndpoint();
    groups_asked_ = AskedForRetry();
    return AnswerWaiting();
  }
  groups_read_ = true;
  names->insert(names->end(), core_versions_.begin(), core_versions_.end());
  StringSet present(names->begin(), names->end());
  for (auto entry = documents_.begin(); entry != documents_.end();) {
    if (present.contains(entry->first)) {
      ++entry;
      continue;
    }
    Replace(entry->second, {});
    entry = documents_.erase(entry);
  }
  for (const std::string& name : *names) {
    Document& document = documents_[name];
    const size_t slash = name.find('/');
    document.group = slash == std::string::npos ? "" : name.substr(0, slash);
    document.version = slash == std::string::npos ? name : name.substr(slash + 1);
  }
  AnswerWaiting();
}

void Discovery::FetchDocument(Document& document) {
  document.asked = home_.Now();
  document.stale = false;
  const std::string name = document.group.empty()
                               ? document.version
                               : fmt::format("{}/{}", document.group, document.version);
  document.fetch = std::make_unique<DocumentFetch>(
      Upstream(), (document.group.empty() ? "/api/" : "/apis/") + name,
      [this, name](StatusOr<std::string> body) { OnDocument(name, std::move(body)); });
}

void Discovery::OnDocument(const std::string& group_version, StatusOr<std::string> body) {
  const auto found = documents_.find(group_version);
  if (found == documents_.end()) return;
  Document& document = found->second;
  // The callback, and with it `group_version`, stays alive through its caller.
  document.fetch.reset();
  StatusOr<std::vector<ResourceType>> types = std::vector<ResourceType>();
  if (body.ok()) {
    types = ParseResources(*body, document.group, document.version);
  } else if (!absl::IsNotFound(body.status())) {
    types = body.status();
  }
  if (types.ok()) {
    Replace(document, std::move(*types));
  } else {
    Log(LogLevel::kWarning, "Discovery failed",
        {{"path", group_version}, {"why", Message(types.status())}});
    Upstream().SwitchEndpoint();
    document.asked = AskedForRetry();
  }
  AnswerWaiting();
}

void Discovery::Replace(Document& document, std::vector<ResourceType> types) {
  std::vector<ResourceId> changed;
  for (const ResourceType& old : document.types) {
    const auto same = std::find_if(types.begin(), types.end(),
                                   [&](const ResourceType& t) { return t.id == old.id; });
    if (same == types.end() || !SameType(*same, old)) changed.push_back(old.id);
  }
  {
    const MutexLock lock(mutex_);
    for (const ResourceType& old : document.types) types_.erase(old.id);
    for (const ResourceType& type : types) types_[type.id] = type;
  }
  document.types = std::move(types);
  document.read = true;
  for (const ResourceId& id : changed) listener_.type_changed(id);
}

void Discovery::Refresh() {
  if (stopped_) return;
  refresh_timer_ = home_.After(options_.refresh, [this] {
    refresh_timer_ = 0;
    Refresh();
  });
  version_fetch_ = std::make_unique<DocumentFetch>(
      Upstream(), "/version", [this](StatusOr<std::string> body) { OnVersion(std::move(body)); });
  if (!groups_fetch_) FetchGroupVersions();
  for (auto& [name, document] : documents_) {
    if (document.read && !document.fetch) FetchDocument(document);
  }
}

void Discovery::OnVersion(StatusOr<std::string> body) {
  version_fetch_.reset();
  if (!body.ok()) return;
  std::string version = ParseGitVersion(*body);
  if (version.empty()) return;
  const std::string before = std::exchange(version_, std::move(version));
  if (!before.empty() && before != version_) listener_.upgraded(version_);
}

// One look when the first of those that wait runs out of patience.
void Discovery::ArmTimer() {
  if (waiting_.empty() || timer_ != 0) return;
  const auto first =
      std::min_element(waiting_.begin(), waiting_.end(),
                       [](const Waiting& a, const Waiting& b) { return a.deadline < b.deadline; });
  timer_ = home_.After(first->deadline - home_.Now(), [this] {
    timer_ = 0;
    AnswerWaiting();
  });
}

}  // namespace weir
