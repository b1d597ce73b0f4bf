// A kube-apiserver with its etcd, in memory: LIST with pages, WATCH with history and bookmarks,
// discovery, and every fault that a feed has to live with. It speaks through ListWatcher, in the
// bytes that upstream sends, in JSON or protobuf as it is asked.
//
//   FakeApiServer server;
//   server.Serve(Pods());
//   server.Put(Pods().id, "default", "web", {});
//   auto upstream = server.Connect(executor);        // give it to a Feed
//   server.CutStreams(/*mid_frame=*/true);
//
// Revisions are one sequence for all types, as etcd's. All answers come by tasks and timers of the
// executor that asked, never inside Get(). One thread; the executors share one clock.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/list_watcher.h"
#include "protocol/base/executor.h"
#include "protocol/k8s/resource.h"

namespace weir {

class FakeApiServer {
 public:
  // What a test says of an object; the rest is made up.
  struct Fields {
    std::map<std::string, std::string> labels{};
    std::string node{};       // spec.nodeName
    std::string spec_json{};  // Whole, instead of one with the node; "" for none.
    int64_t generation = 0;
  };
  // One state of one object.
  struct Stored {
    std::string namespace_, name, uid;
    Revision revision;
    Fields fields;
    std::string key() const { return namespace_.empty() ? name : namespace_ + "/" + name; }
  };
  struct Change {
    enum class Type : uint8_t { kAdded, kModified, kDeleted };
    Type type = Type::kAdded;
    Stored after;                  // Of a deletion: the last state with the deletion's revision.
    std::optional<Stored> before;  // Nothing for kAdded.
    TimePoint when;
  };
  using State = std::map<std::string, Stored, std::less<>>;  // By key.

  // Probabilities from 0 to 1, each looked at where it can happen.
  struct Chaos {
    double no_connection = 0;  // A request gets no answer but a transport failure.
    double error = 0;          // 429, 500 or 503, some with Retry-After.
    double hang = 0;           // A request is never answered; its time-out ends it.
    double cut = 0;            // A body or stream breaks off, often inside a frame.
    double deaf = 0;           // A stream opens and then brings nothing, for good.
    double duplicate = 0;      // An event comes twice.
    double reorder = 0;        // Two events of one delivery change places.
    double split = 0;          // Bytes come in several pieces.
    double apart = 0;          // Some time passes between two events of one revision.
    double expire = 0;         // A watch is answered 410.
    Duration latency{0};       // At most, of each step.
  };

  explicit FakeApiServer(uint64_t seed = 1);
  ~FakeApiServer();

  // Types: what discovery names and collections answer. `custom`: items and events in the form of
  // custom resources.
  void Serve(const ResourceType& type, bool custom = false);
  void Unserve(const ResourceId& id);

  // Writes; they return the revision that they have made.
  Revision Put(const ResourceId& id, std::string namespace_name, std::string name, Fields fields);
  Revision Delete(const ResourceId& id, std::string_view namespace_name, std::string_view name);
  // All at one revision, as keys that expire with one lease.
  Revision DeleteTogether(const ResourceId& id, const std::vector<std::string>& keys);
  Revision Touch();  // Something of another type has changed.

  // Watches from before now get 410, lists that are being paged too.
  void Compact(const ResourceId& id);
  // Back to the state of `revision`, as when etcd is restored; all connections break.
  void Restore(Revision revision);

  // Scripted faults.
  void FailNext(int count, int status, int retry_after_seconds = 0);  // `status` 0: no connection.
  void AnswerAlways(const ResourceId& id, int status);                // 0: as it should be again.
  void CutStreams(bool mid_frame);
  void EndStreams();                         // Cleanly.
  void SetDeaf(bool deaf) { deaf_ = deaf; }  // No stream brings anything.
  void SetHang(bool hang) { hang_ = hang; }  // No request is answered.
  void RepeatLastEvent(const ResourceId& id);
  void SendRaw(const ResourceId& id, std::string bytes);                   // On all its streams.
  void SetVersion(std::string version) { version_ = std::move(version); }  // What /version says.
  void SetWarning(std::string warning) { warning_ = std::move(warning); }
  void SetRevisionText(std::string text) {
    revision_text_ = std::move(text);
  }  // What lists say instead of a number.
  void SetChaos(Chaos chaos) { chaos_ = chaos; }
  // The endpoints that SwitchEndpoint() goes through: how long each one's watch cache lags behind
  // etcd.
  void SetEndpointLags(std::vector<Duration> lags);

  std::unique_ptr<ListWatcher> Connect(Executor& executor);

  Revision revision() const { return Revision{revision_}; }
  // Changes since the last Restore, from the beginning.
  const std::vector<Change>& history(const ResourceId& id) const;
  const State& state(const ResourceId& id) const;
  State StateAt(const ResourceId& id, Revision revision) const;
  uint64_t restores() const { return restores_; }
  // Targets of all requests, oldest first.
  const std::vector<std::string>& requests() const { return requests_; }
  void ClearRequests() { requests_.clear(); }
  size_t Count(std::string_view part_of_target) const;
  size_t open_streams() const;

 private:
  class Connection;
  class Handle;
  struct Exchange;
  struct Collection {
    ResourceType type;
    bool custom = false;
    State state;
    std::vector<Change> history;
    uint64_t compacted = 0;  // Events up to it are gone.
    int always = 0;
  };
  struct Page {  // What a continue token stands for.
    std::vector<Stored> rest;
    uint64_t revision = 0;
  };
  struct Endpoint {
    Duration lag{0};
    uint64_t seen = 0;  // At least; a consistent read moves it.
  };
  using ExchangeRef = std::shared_ptr<Exchange>;

  Collection& At(const ResourceId& id);
  const Collection& At(const ResourceId& id) const;
  void Record(Collection& collection, Change change);
  void AfterWrite(const Collection& collection);

  void Arrive(const ExchangeRef& exchange);
  void AnswerDiscovery(const ExchangeRef& exchange);
  void AnswerList(const ExchangeRef& exchange, Collection& collection);
  void AnswerWatch(const ExchangeRef& exchange, Collection& collection);
  void AnswerError(const ExchangeRef& exchange, int status, int retry_after_seconds);
  bool AnswerFault(const ExchangeRef& exchange);
  void Reply(const ExchangeRef& exchange, ApiResponseHead head, std::string body);

  // Brings what the stream's endpoint has seen.
  void Pump(const ExchangeRef& exchange);
  // The frames from `pause` on come later.
  void SendApart(const ExchangeRef& exchange, const std::vector<std::string>& frames, size_t pause);
  void SchedulePump(const ExchangeRef& exchange, Duration delay);
  void Bookmark(const ExchangeRef& exchange);
  void ScheduleBookmark(const ExchangeRef& exchange, Duration delay, Duration interval);
  void Send(const ExchangeRef& exchange, std::string bytes);
  void End(const ExchangeRef& exchange, bool clean);
  // A task for `exchange` on its executor, dropped when it is over.
  void Later(const ExchangeRef& exchange, Duration delay,
             std::function<void(const ExchangeRef&)> task);

  uint64_t SeenBy(size_t endpoint, TimePoint now) const;
  std::string ObjectJson(const Collection& collection, const Stored& stored, bool with_type) const;
  // Bytes of a stream or of a list, in an encoding.
  std::string FrameOf(const Collection& collection, const Change& change, Encoding encoding) const;
  std::string BookmarkOf(const Collection& collection, uint64_t revision, Encoding encoding) const;
  std::string ListOf(const Collection& collection, const std::vector<Stored>& stored,
                     std::string_view token, std::string_view revision, Encoding encoding) const;
  static std::string ProtobufFrame(const ResourceType& type, const Change& change,
                                   Encoding encoding);
  static std::string ProtobufBookmark(const ResourceType& type, uint64_t revision,
                                      Encoding encoding);
  static std::string ProtobufList(const ResourceType& type, const std::vector<Stored>& items,
                                  std::string_view token, std::string_view revision,
                                  Encoding encoding);
  bool Chance(double probability);
  Duration Latency();

  std::mt19937_64 random_;
  uint64_t revision_ = 100;
  uint64_t restores_ = 0;
  uint64_t last_uid_ = 0;
  std::map<ResourceId, Collection> collections_;
  std::vector<std::pair<TimePoint, uint64_t>> clock_;  // When each revision was made.
  std::function<TimePoint()> now_;                     // Of the first executor that connected.
  std::map<std::string, Page> pages_;
  uint64_t last_page_ = 0;
  std::vector<Endpoint> endpoints_{1};

  int fail_next_ = 0, fail_status_ = 0, fail_retry_after_ = 0;
  bool deaf_ = false, hang_ = false;
  std::string version_ = "v1.37.2";
  std::string warning_, revision_text_;
  Chaos chaos_;

  std::vector<std::string> requests_;
  std::vector<std::weak_ptr<Exchange>> streams_;
};

// Types that tests use, as discovery describes them.
ResourceType FakeType(std::string group, std::string version, std::string resource,
                      std::string kind, bool namespaced = true);
ResourceType Pods();
ResourceType Nodes();
ResourceType Leases();
ResourceType CronTabs();  // A custom resource.
ResourceType Crds();
ResourceType ApiServices();

}  // namespace weir
