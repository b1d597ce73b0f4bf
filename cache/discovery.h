// Which resource types upstream serves, with kind, scope and verbs: from its discovery documents.
//
//   Find(id) ─ known ─▶ at once
//            └ else ──▶ /api, /apis (which group versions are there) ─▶ /apis/<group>/<version> ─▶
//            answer
//
// Documents are read when a name is asked that they do not hold, each at most every few seconds,
// and all that were read again every few minutes, with upstream's version. What belongs to another
// server (aggregated), and which types are custom resources, is told by the registry, which watches
// APIServices and CustomResourceDefinitions.
//
// Find(), Describe(), SetAggregated(), SetCustom(), Forget() and Recheck() are thread-safe;
// fetching runs on the home executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "cache/document_fetch.h"
#include "cache/list_watcher.h"
#include "protocol/base/containers.h"
#include "protocol/base/executor.h"
#include "protocol/base/mutex.h"
#include "protocol/k8s/resource.h"
#include "protocol/k8s/selectable_fields.h"

namespace weir {

struct DiscoveredType {
  ResourceType type;
  bool custom = false;                             // A custom resource.
  std::shared_ptr<const SelectableFields> fields;  // Never null in what Discovery gives.
};

// By "resource.group" of each custom resource: the fields of those versions that have any.
using CustomTypes = StringMap<StringMap<std::shared_ptr<const SelectableFields>>>;

class Discovery final : public std::enable_shared_from_this<Discovery> {
 public:
  struct Options {
    Duration ask_again = std::chrono::seconds(5);  // For a name that upstream did not know.
    Duration retry = std::chrono::seconds(1);      // After a failure.
    Duration refresh = std::chrono::minutes(5);
    Duration patience = std::chrono::seconds(3);  // Then Find() answers "not known".
    size_t max_waiting = 10000;                   // More are answered at once.
  };
  // Where a fact about all types comes from.
  enum class Source : uint8_t {
    kPending,  // Not read yet: names outside the built-in groups wait.
    kKnown,
    kUnavailable,  // Upstream refuses: only built-in groups are served.
  };
  using MakeUpstream = std::function<std::unique_ptr<ListWatcher>()>;
  using Done = absl::AnyInvocable<void(std::optional<DiscoveredType>)>;

  // Called on the home executor.
  struct Listener {
    std::function<void(const ResourceId&)> type_changed;     // It is gone, or is not what it was.
    std::function<void(std::string_view version)> upgraded;  // Upstream has another version now.
  };

  // `make_upstream` is called on the home executor, before the first request.
  Discovery(Executor& home, MakeUpstream make_upstream, Options options, Listener listener);
  ~Discovery();

  // Begins the periodic refresh; from any thread.
  void Start();
  // Answers all that wait with nothing and ends. On the home executor.
  void Stop();

  // Nothing: upstream does not serve it itself. Calls `done` inside the call where that is known,
  // else on `caller`.
  void Find(const ResourceId& id, Executor& caller, Done done);
  // `type` with what has been told of it, as it is now: answers of Find() may have been under way
  // while that changed.
  DiscoveredType Describe(const ResourceType& type) const ABSL_LOCKS_EXCLUDED(mutex_);

  // "group/version" names that other servers answer.
  // Whether another server answers its group and version, as far as is known.
  bool IsAggregated(const ResourceId& id) const;
  void SetAggregated(Source source, StringSet group_versions);
  void SetCustom(Source source, CustomTypes types);
  // What is known of `group` may be wrong: read again when asked next.
  void Forget(const std::string& group);
  // Reads the documents that name `id` again now.
  void Recheck(const ResourceId& id);

 private:
  struct Document {
    std::string group, version;
    std::vector<ResourceType> types;
    TimePoint asked;    // Not asked again before asked + ask_again.
    bool read = false;  // `types` is upstream's answer.
    bool stale = false;
    std::unique_ptr<DocumentFetch> fetch;
  };
  struct Waiting {
    ResourceId id;
    TimePoint deadline;
    Executor* caller;
    Done done;
  };
  enum class Verdict : uint8_t { kYes, kNo, kWait };

  // Known at this moment, without asking; nullopt: not known whether.
  std::optional<std::optional<DiscoveredType>> Known(const ResourceId& id)
      ABSL_LOCKS_EXCLUDED(mutex_);

  DiscoveredType DescribeLocked(const ResourceType& type) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // On the home executor.
  void Wait(Waiting waiting);
  void AnswerWaiting();
  Verdict Judge(const ResourceId& id, DiscoveredType& type) ABSL_LOCKS_EXCLUDED(mutex_);
  bool GroupVersionsRead() const;
  void FetchGroupVersions();
  void OnCoreVersions(StatusOr<std::string> body);
  void OnGroups(StatusOr<std::string> body);
  void FetchDocument(Document& document);
  void OnDocument(const std::string& group_version, StatusOr<std::string> body);
  void Replace(Document& document, std::vector<ResourceType> types);
  // When it would have been asked to be asked again `retry` from now.
  TimePoint AskedForRetry() const { return home_.Now() - options_.ask_again + options_.retry; }
  void Refresh();
  void OnVersion(StatusOr<std::string> body);
  void ArmTimer();

  Executor& home_;
  const MakeUpstream make_upstream_;
  const Options options_;
  const Listener listener_;

  mutable Mutex mutex_;
  absl::flat_hash_map<ResourceId, ResourceType> types_ ABSL_GUARDED_BY(mutex_);
  Source aggregated_source_ ABSL_GUARDED_BY(mutex_) = Source::kPending;
  Source custom_source_ ABSL_GUARDED_BY(mutex_) = Source::kPending;
  StringSet aggregated_ ABSL_GUARDED_BY(mutex_);
  CustomTypes custom_ ABSL_GUARDED_BY(mutex_);

  ListWatcher& Upstream();

  // Home only.
  std::unique_ptr<ListWatcher> upstream_;  // Outlives the fetches below.
  std::map<std::string, Document>
      documents_;  // By "group/version"; one for each that upstream names.
  TimePoint groups_asked_;
  bool groups_read_ = false;
  bool groups_stale_ = false;
  std::vector<std::string> core_versions_;
  std::unique_ptr<DocumentFetch> groups_fetch_, version_fetch_;
  std::string version_;
  std::vector<Waiting> waiting_;
  Executor::TimerId timer_ = 0, refresh_timer_ = 0;
  bool stopped_ = false;
};

}  // namespace weir
