// All caches of the process: which exist, where their homes are, and each worker's replica of them.
//
// Thread-safe. Feeds start on first demand and end after `idle_timeout` without readers: no Open()
// and no watcher. Where memory is short the largest that has had none for a minute ends earlier, to
// make room for one that is read. Those of `prewarm` run from the start on, whether or not they are
// read. Two feeds always run and are never idle: CustomResourceDefinitions and
// APIServices, which say what the other types are. A type whose definition changes loses its feed:
// watches end with 410, the next Open() starts anew.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "cache/cache.h"
#include "cache/list_watcher.h"
#include "cache/replica.h"
#include "protocol/k8s/resource.h"

namespace weir {

// What discovery says of a name.
enum class TypeVerdict : uint8_t {
  kKnown,    // Listable and watchable, served by the API server itself: may be cached.
  kForward,  // Unknown, not watchable, aggregated, or excluded by configuration: upstream answers.
};

// In which encoding a reader wants a type, which depends on what the type is: custom resources have
// no protobuf of their own. Unset: in none that is cached.
struct WantedEncoding {
  std::optional<Encoding> built_in = Encoding::kJson;
  std::optional<Encoding> custom = Encoding::kJson;
};

// One line of /readyz and /metrics.
struct FeedStatus {
  ResourceId id;
  Encoding encoding = Encoding::kJson;
  CacheState state;
  Revision revision;
  Revision published;  // What is read: behind `revision` while more may come of that one.
  size_t objects = 0;
  size_t object_bytes = 0;
  size_t log_bytes = 0;
  // Reads told that the cache is not behind; and reads that nobody could tell, which were
  // forwarded.
  uint64_t proofs = 0, proofs_failed = 0;
  std::string reason;  // Why it is not synced, for a person; empty when it is.
  // Sent to, and received from, upstream.
  uint64_t lists = 0, watches = 0, probes = 0, events = 0;
  uint64_t resyncs = 0;      // LISTs that took the place of a lost history.
  uint64_t regressions = 0;  // Times that upstream's revision went back: a restored etcd.
};

class Registry {
 public:
  struct Options {
    std::vector<std::string> never_cache = {"secrets"};  // "resource" or "resource.group".
    std::vector<std::string> cache_only;                 // Empty: every resource.
    size_t max_cache_bytes = size_t{4} << 30;            // Objects and logs of all caches together.
    Duration idle_timeout = std::chrono::minutes(30);
    // In the encoding that client-go asks for: protobuf, of custom resources JSON.
    std::vector<ResourceId> prewarm;
    // A feed's memory was given back to the allocator. On the executor that was the feed's home.
    std::function<void()> memory_returned;
    Cache::Limits log;
    Replica::Limits reads;
    // What LISTs of a resource ("pods", "widgets.example.com") are looked up by.
    struct Index {
      std::string resource;
      IndexedProperty property;
    };
    std::vector<Index> indexes = {{"pods", {false, "spec.nodeName"}},
                                  {"resourceslices.resource.k8s.io", {false, "spec.nodeName"}}};
    bool strict_resync =
        false;  // End all watches with 410 after a resynchronisation, as kube-apiserver would.
    uint64_t page_size = 10000;
    uint64_t seed = 0;  // Of the jitter of back-offs; 0: from the system.
  };
  struct Worker {
    Executor* executor;
    // Makes the connection of one feed to the API server, used on that executor only.
    std::function<std::unique_ptr<ListWatcher>()> make_list_watcher;
  };

  static std::unique_ptr<Registry> Make(Options options, std::vector<Worker> workers);
  virtual ~Registry() = default;

  // The replica of `id` in the encoding wanted, on the calling worker (index into `workers`),
  // starting the feed if it is the first reader; null: forward. Calls `done` at once when discovery
  // knows the name, else after asking upstream.
  virtual void Open(size_t worker, const ResourceId& id, const WantedEncoding& wanted,
                    absl::AnyInvocable<void(std::shared_ptr<Replica>)> done) = 0;

  // Whether a feed runs already that Open() would find.
  virtual bool IsOpen(const ResourceId& id, const WantedEncoding& wanted) = 0;

  // A copy of every feed's state, for the admin port. Thread-safe.
  virtual std::vector<FeedStatus> Status() = 0;

  // Ends all feeds. Call before the executors stop.
  virtual void Shutdown() = 0;
};

}  // namespace weir
