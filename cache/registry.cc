#include "cache/registry.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "cache/definition_facts.h"
#include "cache/discovery.h"
#include "cache/fact_table.h"
#include "cache/feed_home.h"
#include "cache/memory_budget.h"
#include "protocol/base/log.h"
#include "protocol/base/mutex.h"
#include "protocol/k8s/uncached.h"

namespace weir {
namespace {

ResourceType BuiltInType(const ResourceId& id, std::string kind) {
  return {.id = id,
          .kind = std::move(kind),
          .namespaced = false,
          .can_get = true,
          .can_list = true,
          .can_watch = true};
}

// How often it is looked at who reads what; and without a reader for how long a feed may be ended
// for the sake of another one.
constexpr Duration kLook = std::chrono::seconds(15);
constexpr Duration kUnread = std::chrono::seconds(60);

bool Contains(const std::vector<std::string>& list, const ResourceId& id) {
  return std::find(list.begin(), list.end(), id.GroupResource()) != list.end();
}

// Everything behind Registry; tasks on the executors keep it alive or find it gone.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Registry::Options options, std::vector<Registry::Worker> workers);

  void Start();
  void Open(size_t worker, const ResourceId& id, const WantedEncoding& wanted,
            absl::AnyInvocable<void(std::shared_ptr<Replica>)> done) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsOpen(const ResourceId& id, const WantedEncoding& wanted) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<FeedStatus> Status() ABSL_LOCKS_EXCLUDED(mutex_);
  void Shutdown() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A feed is one type in one encoding.
  using FeedKey = std::pair<ResourceId, Encoding>;
  struct Entry {
    std::shared_ptr<FeedHome> home;
    bool custom = false;  // A custom resource.
    size_t home_worker = 0;
    std::vector<std::shared_ptr<Replica>> replicas;  // By worker; null where none has read it yet.
    TimePoint used;       // When it was last opened, or last seen with watchers.
    bool pinned = false;  // The registry itself reads it: never idle.
    bool warm = false;    // Configured to run always: never idle either.
  };

  bool Excluded(const ResourceId& id) const;
  // The feed that runs already; null where none does.
  Entry* FindEntry(const ResourceId& id, const WantedEncoding& wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<Replica> FindOpen(size_t worker, const ResourceId& id,
                                    const WantedEncoding& wanted) ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<Replica> Admit(size_t worker, const ResourceType& type,
                                 const WantedEncoding& wanted) ABSL_LOCKS_EXCLUDED(mutex_);
  // The feed, started if it does not run; null: none in that encoding.
  Entry* FindOrAdd(const ResourceType& type, const WantedEncoding& wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entry& AddEntry(const DiscoveredType& type, Encoding encoding, std::optional<size_t> at,
                  FeedHome::Options options) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<Replica> ReplicaOf(Entry& entry, size_t worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t LeastLoadedWorker() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Ends the feeds for which `wanted` holds; their readers are forwarded, the next Open() starts
  // anew.
  template <typename Wanted>
  void End(Wanted wanted, std::string_view why) ABSL_LOCKS_EXCLUDED(mutex_);
  void Release(Entry entry);
  void OnReleased() ABSL_LOCKS_EXCLUDED(mutex_);
  // After an upstream upgrade the same revisions may have new bytes.
  void ListAllAgain(std::string_view version) ABSL_LOCKS_EXCLUDED(mutex_);

  // On the first worker, which reads what the registry itself wants to know.
  void OnCrds(const Cache& cache);
  void OnApiServices(const Cache& cache);

  void ArmIdleTimer(size_t worker);
  void NoteReaders(size_t worker) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndIdle() ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts what of `prewarm` does not run, now and whenever it was ended.
  void KeepWarm() ABSL_LOCKS_EXCLUDED(mutex_);
  void Warm(const ResourceId& id, const std::optional<DiscoveredType>& type)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // For a feed that is read: ends the largest one that nobody has read lately, unless one that was
  // ended is still letting go of its memory. False: there is none.
  bool MakeRoomFor(const FeedKey& reading) ABSL_LOCKS_EXCLUDED(mutex_);

  const Registry::Options options_;
  const std::vector<Registry::Worker> workers_;
  const std::shared_ptr<MemoryBudget> budget_;
  std::shared_ptr<Discovery> discovery_;  // Constant after Start().

  Mutex mutex_;
  absl::flat_hash_map<FeedKey, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_seed_ ABSL_GUARDED_BY(mutex_);
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  size_t releasing_ ABSL_GUARDED_BY(mutex_) = 0;  // Feeds that have ended and hold memory yet.
  absl::flat_hash_set<ResourceId> not_found_ ABSL_GUARDED_BY(mutex_);  // Of `prewarm`; said once.

  // First worker only.
  FactTable crds_{&CrdFact};
  CustomTypes custom_types_;  // As `crds_` saw them.
  FactTable api_services_{&ApiServiceFact};
  Revision crds_seen_, api_services_seen_;
  CacheState crds_state_ = CacheState::kStarting, api_services_state_ = CacheState::kStarting;
};

Core::Core(Registry::Options options, std::vector<Registry::Worker> workers)
    : options_(std::move(options)),
      workers_(std::move(workers)),
      budget_(std::make_shared<MemoryBudget>(options_.max_cache_bytes)),
      next_seed_(options_.seed != 0 ? options_.seed : std::random_device()()) {}

void Core::Start() {
  // The connection is made where it is used.
  Executor& first = *workers_.front().executor;
  const std::weak_ptr<Core> weak = weak_from_this();
  Discovery::Listener listener;
  listener.type_changed = [weak](const ResourceId& id) {
    const auto is_it = [&](const FeedKey& each, const Entry&) { return each.first == id; };
    if (const auto core = weak.lock()) core->End(is_it, "discovery has changed");
  };
  listener.upgraded = [weak](std::string_view version) {
    if (const auto core = weak.lock()) core->ListAllAgain(version);
  };
  discovery_ = std::make_shared<Discovery>(first, workers_.front().make_list_watcher,
                                           Discovery::Options{}, std::move(listener));
  discovery_->Start();
  {
    const MutexLock lock(mutex_);
    FeedHome::Options crds, api_services;
    crds.on_progress = [weak](const Cache& cache) {
      if (const auto core = weak.lock()) core->OnCrds(cache);
    };
    api_services.on_progress = [weak](const Cache& cache) {
      if (const auto core = weak.lock()) core->OnApiServices(cache);
    };
    AddEntry(discovery_->Describe(BuiltInType(kCrds, "CustomResourceDefinition")), Encoding::kJson,
             0, std::move(crds))
        .pinned = true;
    AddEntry(discovery_->Describe(BuiltInType(kApiServices, "APIService")), Encoding::kJson, 0,
             std::move(api_services))
        .pinned = true;
  }
  for (size_t worker = 0; worker < workers_.size(); ++worker) {
    workers_[worker].executor->Post([weak, worker] {
      if (const auto core = weak.lock()) core->ArmIdleTimer(worker);
    });
  }
  first.Post([weak] {
    if (const auto core = weak.lock()) core->KeepWarm();
  });
}

bool Core::Excluded(const ResourceId& id) const {
  if (Contains(options_.never_cache, id)) return true;
  return !options_.cache_only.empty() && !Contains(options_.cache_only, id);
}

Core::Entry* Core::FindEntry(const ResourceId& id, const WantedEncoding& wanted) {
  if (shut_down_) return nullptr;
  for (const std::optional<Encoding>& encoding : {wanted.built_in, wanted.custom}) {
    if (!encoding) continue;
    const auto found = entries_.find(FeedKey(id, *encoding));
    if (found == entries_.end()) continue;
    Entry& entry = found->second;
    if ((entry.custom ? wanted.custom : wanted.built_in) == *encoding) return &entry;
  }
  return nullptr;
}

bool Core::IsOpen(const ResourceId& id, const WantedEncoding& wanted) {
  const MutexLock lock(mutex_);
  return FindEntry(id, wanted) != nullptr;
}

std::shared_ptr<Replica> Core::FindOpen(size_t worker, const ResourceId& id,
                                        const WantedEncoding& wanted) {
  const MutexLock lock(mutex_);
  Entry* const entry = FindEntry(id, wanted);
  return entry == nullptr ? nullptr : ReplicaOf(*entry, worker);
}

void Core::Open(size_t worker, const ResourceId& id, const WantedEncoding& wanted,
                absl::AnyInvocable<void(std::shared_ptr<Replica>)> done) {
  if (Excluded(id)) return done(nullptr);
  if (std::shared_ptr<Replica> replica = FindOpen(worker, id, wanted)) {
    return done(std::move(replica));
  }
  discovery_->Find(id, *workers_[worker].executor,
                   [weak = weak_from_this(), worker, wanted,
                    done = std::move(done)](std::optional<DiscoveredType> type) mutable {
                     const std::shared_ptr<Core> core = weak.lock();
                     const bool cacheable =
                         core && type && type->type.can_list && type->type.can_watch;
                     done(cacheable ? core->Admit(worker, type->type, wanted) : nullptr);
                   });
}

std::shared_ptr<Replica> Core::Admit(size_t worker, const ResourceType& type,
                                     const WantedEncoding& wanted) {
  const MutexLock lock(mutex_);
  Entry* const entry = FindOrAdd(type, wanted);
  return entry == nullptr ? nullptr : ReplicaOf(*entry, worker);
}

Core::Entry* Core::FindOrAdd(const ResourceType& type, const WantedEncoding& wanted) {
  if (shut_down_) return nullptr;
  // Told under the lock: whoever changes what is told then ends the feeds that know the old. What
  // was found may have been found before.
  if (discovery_->IsAggregated(type.id)) return nullptr;
  const DiscoveredType described = discovery_->Describe(type);
  const auto encoding = described.custom ? wanted.custom : wanted.built_in;
  if (!encoding) return nullptr;
  const auto found = entries_.find(FeedKey(type.id, *encoding));
  if (found != entries_.end()) return &found->second;
  FeedHome::Options options;
  options.on_type_missing = [weak = std::weak_ptr(discovery_), id = type.id] {
    if (const auto discovery = weak.lock()) discovery->Recheck(id);
  };
  options.on_memory_short = [weak = weak_from_this(), key = FeedKey(type.id, *encoding)] {
    const auto core = weak.lock();
    return core && core->MakeRoomFor(key);
  };
  return &AddEntry(described, *encoding, std::nullopt, std::move(options));
}

Core::Entry& Core::AddEntry(const DiscoveredType& type, Encoding encoding, std::optional<size_t> at,
                            FeedHome::Options options) {
  options.feed.encoding = encoding;
  options.feed.page_size = options_.page_size;
  options.feed.custom = type.custom;
  options.feed.uncached = IsUncachedUpstream(type.type.id);
  // Metadata alone has none of them.
  const bool whole = encoding != Encoding::kProtobufMetadata;
  options.feed.fields = whole ? type.fields : SelectableFields::Custom({});
  options.feed.strict_resync = options_.strict_resync;
  options.feed.seed = next_seed_++;
  options.log = options_.log;
  const size_t worker = at.value_or(LeastLoadedWorker());
  const Registry::Worker& home = workers_[worker];
  Entry entry;
  entry.home_worker = worker;
  entry.custom = type.custom;
  entry.home = std::make_shared<FeedHome>(*home.executor, home.make_list_watcher, type.type,
                                          std::move(options), budget_);
  entry.replicas.resize(workers_.size());
  entry.used = home.executor->Now();
  entry.warm = encoding == (type.custom ? Encoding::kJson : Encoding::kProtobuf) &&
               std::find(options_.prewarm.begin(), options_.prewarm.end(), type.type.id) !=
                   options_.prewarm.end();
  entry.home->Start();
  return entries_[FeedKey(type.type.id, encoding)] = std::move(entry);
}

size_t Core::LeastLoadedWorker() const {
  std::vector<size_t> feeds(workers_.size());
  for (const auto& [id, entry] : entries_) ++feeds[entry.home_worker];
  return static_cast<size_t>(std::min_element(feeds.begin(), feeds.end()) - feeds.begin());
}

std::shared_ptr<Replica> Core::ReplicaOf(Entry& entry, size_t worker) {
  Executor& executor = *workers_[worker].executor;
  entry.used = executor.Now();
  std::shared_ptr<Replica>& replica = entry.replicas[worker];
  if (!replica) {
    Replica::Limits limits = options_.reads;
    limits.budget = budget_;
    for (const Registry::Options::Index& index : options_.indexes) {
      if (index.resource == entry.home->type().id.GroupResource()) {
        limits.indexes.push_back(index.property);
      }
    }
    replica = Replica::Make(executor, entry.home->proofs(), std::move(limits));
    entry.home->AddReader(replica);
  }
  return replica;
}

template <typename Wanted>
void Core::End(Wanted wanted, std::string_view why) {
  std::vector<Entry> ended;
  {
    const MutexLock lock(mutex_);
    absl::erase_if(entries_, [&](auto& item) {
      if (item.second.pinned || !wanted(item.first, item.second)) return false;
      ended.push_back(std::move(item.second));
      ++releasing_;
      return true;
    });
  }
  for (Entry& entry : ended) {
    Log(LogLevel::kInfo, "Feed ended",
        {{"resource", entry.home->type().id.ToString()},
         {"encoding", ToString(entry.home->encoding())},
         {"why", why}});
    Release(std::move(entry));
  }
}

// Replicas die on their own workers, after the cache has let go of them.
void Core::Release(Entry entry) {
  const std::shared_ptr<FeedHome> home = entry.home;
  std::vector<std::pair<Executor*, std::shared_ptr<Replica>>> replicas;
  for (size_t worker = 0; worker < entry.replicas.size(); ++worker) {
    if (entry.replicas[worker])
      replicas.emplace_back(workers_[worker].executor, std::move(entry.replicas[worker]));
  }
  home->Stop([replicas = std::move(replicas), weak = weak_from_this()]() mutable {
    for (auto& [executor, replica] : replicas) executor->Post([last = std::move(replica)] {});
    if (const auto core = weak.lock()) core->OnReleased();
  });
}

void Core::OnReleased() {
  {
    const MutexLock lock(mutex_);
    --releasing_;
  }
  if (options_.memory_returned) options_.memory_returned();
}

void Core::ListAllAgain(std::string_view version) {
  Log(LogLevel::kInfo, "Upstream has another version; all feeds list again",
      {{"version", version}});
  const MutexLock lock(mutex_);
  for (auto& [id, entry] : entries_) entry.home->ListAgain();
}

void Core::OnCrds(const Cache& cache) {
  const bool same = cache.revision() == crds_seen_ && cache.state() == crds_state_;
  if (same) return;
  crds_seen_ = cache.revision();
  crds_state_ = cache.state();
  if (cache.state() == CacheState::kRefused)
    return discovery_->SetCustom(Discovery::Source::kUnavailable, {});
  if (cache.state() != CacheState::kSynced) return;
  const ObjectTree tree = cache.snapshot().tree;
  const std::vector<std::string> changed = crds_.Update(tree);
  for (const std::string& name : changed) {
    const ObjectRef crd = tree.Find(name);
    if (crd) {
      custom_types_.insert_or_assign(name, SelectableFieldsOf(*crd));
    } else {
      custom_types_.erase(name);
    }
  }
  discovery_->SetCustom(Discovery::Source::kKnown, custom_types_);
  for (const std::string& name : changed) {
    discovery_->Forget(GroupOf(name));
    End([&](const FeedKey& key, const Entry&) { return key.first.GroupResource() == name; },
        "its CustomResourceDefinition has changed");
  }
}

void Core::OnApiServices(const Cache& cache) {
  const bool same = cache.revision() == api_services_seen_ && cache.state() == api_services_state_;
  if (same) return;
  api_services_seen_ = cache.revision();
  api_services_state_ = cache.state();
  if (cache.state() == CacheState::kRefused)
    return discovery_->SetAggregated(Discovery::Source::kUnavailable, {});
  if (cache.state() != CacheState::kSynced) return;
  const std::vector<std::string> changed = api_services_.Update(cache.snapshot().tree);
  StringSet aggregated;
  for (const std::string& name : api_services_.Names()) aggregated.insert(GroupVersionOf(name));
  // First, so that what is ended is not begun again.
  discovery_->SetAggregated(Discovery::Source::kKnown, aggregated);
  for (const std::string& name : changed) {
    const std::string group_version = GroupVersionOf(name);
    if (!aggregated.contains(group_version)) continue;
    End([&](const FeedKey& key, const Entry&) { return key.first.ApiVersion() == group_version; },
        "another server answers its group");
  }
}

// ---- Idle feeds

void Core::ArmIdleTimer(size_t worker) {
  const Duration look = std::min(options_.idle_timeout / 4, kLook);
  workers_[worker].executor->After(look, [weak = weak_from_this(), worker] {
    const std::shared_ptr<Core> core = weak.lock();
    if (!core) return;
    core->NoteReaders(worker);
    if (worker == 0) core->EndIdle();
    core->ArmIdleTimer(worker);
  });
}

void Core::NoteReaders(size_t worker) {
  const MutexLock lock(mutex_);
  for (auto& [id, entry] : entries_) {
    const std::shared_ptr<Replica>& replica = entry.replicas[worker];
    if (replica && replica->watcher_count() > 0) entry.used = workers_[worker].executor->Now();
  }
}

void Core::EndIdle() {
  const TimePoint oldest = workers_.front().executor->Now() - options_.idle_timeout;
  const auto idle = [oldest](const FeedKey&, const Entry& entry) {
    return !entry.warm && entry.used < oldest;
  };
  End(idle, "idle");
}

bool Core::MakeRoomFor(const FeedKey& reading) {
  std::optional<FeedKey> largest;
  {
    const MutexLock lock(mutex_);
    const TimePoint oldest = workers_.front().executor->Now() - kUnread;
    const auto unread = [oldest](const Entry& entry) {
      return !entry.pinned && !entry.warm && entry.used < oldest;
    };
    const auto reader = entries_.find(reading);
    if (reader == entries_.end() || unread(reader->second)) return false;
    if (releasing_ > 0) return true;
    size_t most = 0;
    for (const auto& [key, entry] : entries_) {
      if (!unread(entry)) continue;
      const FeedStatus status = entry.home->Status();
      const size_t bytes = status.object_bytes + status.log_bytes;
      if (bytes <= most) continue;
      most = bytes;
      largest = key;
    }
  }
  if (!largest) return false;
  End([&](const FeedKey& key, const Entry&) { return key == *largest; },
      "not read lately, and another one needs its memory");
  return true;
}

// ---- Feeds that always run

void Core::KeepWarm() {
  if (options_.prewarm.empty()) return;
  Executor& first = *workers_.front().executor;
  std::vector<ResourceId> missing;
  {
    const MutexLock lock(mutex_);
    if (shut_down_) return;
    for (const ResourceId& id : options_.prewarm) {
      if (Excluded(id)) continue;
      const auto runs = [&](Encoding encoding) {
        const auto found = entries_.find(FeedKey(id, encoding));
        return found != entries_.end() && found->second.warm;
      };
      if (!runs(Encoding::kProtobuf) && !runs(Encoding::kJson)) missing.push_back(id);
    }
  }
  const std::weak_ptr<Core> weak = weak_from_this();
  for (const ResourceId& id : missing) {
    discovery_->Find(id, first, [weak, id](const std::optional<DiscoveredType>& type) {
      if (const auto core = weak.lock()) core->Warm(id, type);
    });
  }
  first.After(kLook, [weak] {
    if (const auto core = weak.lock()) core->KeepWarm();
  });
}

void Core::Warm(const ResourceId& id, const std::optional<DiscoveredType>& type) {
  const MutexLock lock(mutex_);
  if (type && type->type.can_list && type->type.can_watch) {
    FindOrAdd(type->type, {Encoding::kProtobuf, Encoding::kJson});
    not_found_.erase(id);
  } else if (!shut_down_ && not_found_.insert(id).second) {
    Log(LogLevel::kWarning, "No such resource to keep in the cache yet",
        {{"resource", id.ToString()}});
  }
}

std::vector<FeedStatus> Core::Status() {
  std::vector<FeedStatus> all;
  const MutexLock lock(mutex_);
  all.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) all.push_back(entry.home->Status());
  std::sort(all.begin(), all.end(), [](const FeedStatus& a, const FeedStatus& b) {
    return std::tie(a.id, a.encoding) < std::tie(b.id, b.encoding);
  });
  return all;
}

void Core::Shutdown() {
  std::vector<Entry> ended;
  {
    const MutexLock lock(mutex_);
    if (std::exchange(shut_down_, true)) return;
    for (auto& [id, entry] : entries_) ended.push_back(std::move(entry));
    releasing_ += ended.size();
    entries_.clear();
  }
  for (Entry& entry : ended) Release(std::move(entry));
  workers_.front().executor->Post([discovery = discovery_] { discovery->Stop(); });
}

class RegistryOfFeeds final : public Registry {
 public:
  RegistryOfFeeds(Options options, std::vector<Worker> workers)
      : core_(std::make_shared<Core>(std::move(options), std::move(workers))) {
    core_->Start();
  }
  ~RegistryOfFeeds() override { core_->Shutdown(); }

  void Open(size_t worker, const ResourceId& id, const WantedEncoding& wanted,
            absl::AnyInvocable<void(std::shared_ptr<Replica>)> done) override {
    core_->Open(worker, id, wanted, std::move(done));
  }
  bool IsOpen(const ResourceId& id, const WantedEncoding& wanted) override {
    return core_->IsOpen(id, wanted);
  }
  std::vector<FeedStatus> Status() override { return core_->Status(); }
  void Shutdown() override { core_->Shutdown(); }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<Registry> Registry::Make(Options options, std::vector<Worker> workers) {
  return std::make_unique<RegistryOfFeeds>(std::move(options), std::move(workers));
}

}  // namespace weir
