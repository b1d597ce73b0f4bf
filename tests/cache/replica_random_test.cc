// Random histories, watchers and slow sinks: each client's view, built from its frames alone, must
// follow the rules of a watch at each step and equal the truth in the end. A failure names its
// seed.
#include <map>
#include <random>
#include <sstream>

#include "tests/cache/replica_fixture.h"

namespace weir {
namespace {

class ReplicaRandomTest : public ReplicaTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  using State = std::map<std::string, uint64_t>;  // Revision by key.
  struct Follower {
    std::unique_ptr<Client> client;
    size_t filter = 0;
    State state;
    uint64_t revision = 0;
    bool initial = false;  // Its initial events are still coming.
    bool ended = false;
  };

  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

  const std::vector<Filter>& filters() {
    static const std::vector<Filter> all = {
        Filter(),
        Wants("a"),
        Wants("", "app=x"),
        Wants("", "app!=x"),
        Wants("b", "app in (x,y)"),
        Wants("", "", "spec.nodeName=n1"),
        Wants("", "", "metadata.name=o3"),
        Wants("a", "", "metadata.name=o3"),
        Wants("a", "app=y", "spec.nodeName=n2"),
    };
    return all;
  }
  State Seen(size_t filter, const Snapshot& snapshot) {
    State state;
    for (auto at = snapshot.tree.Begin(); at.Valid(); at.Next()) {
      if (filters()[filter].Matches(*at)) state[std::string(at->key())] = at->revision().value;
    }
    return state;
  }

  void ChangeSomething() {
    const std::string key = std::string(Below(2) ? "a" : "b") + "/o" + std::to_string(Below(6));
    const uint64_t revision = log_.revision() + 1 + Below(3);
    if (log_.snapshot().tree.Find(key) && Below(3) == 0) {
      log_.DeleteAt(key, revision);
      return;
    }
    PodShape shape{.node = "n" + std::to_string(Below(3)), .note = std::string(Below(9000), 'x')};
    if (Below(4)) shape.labels = std::string(R"("app":")") + "xyz"[Below(3)] + '"';
    log_.PutAt(key, revision, shape);
  }
  void PublishSomething() {
    for (size_t i = Below(25); i > 0; --i) ChangeSomething();
    if (Below(4) == 0) log_.Reach(log_.revision() + Below(5));
    if (Below(10) == 0)
      floor_ = log_.next_sequence() - std::min<uint64_t>(log_.next_sequence() - floor_, Below(60));
    Publish();
    states_[log_.revision()] = log_.snapshot();
    if (states_.size() > 20) states_.erase(states_.begin());
  }

  void Join() {
    auto follower = std::make_unique<Follower>();
    follower->filter = Below(filters().size());
    WatchSpec spec = InitialSpec(filters()[follower->filter]);
    follower->initial = Below(2) == 0;
    if (!follower->initial) {
      auto from = states_.begin();
      std::advance(from, Below(states_.size()));
      follower->state = Seen(follower->filter, from->second);
      follower->revision = from->first;
      spec.initial.reset();
      spec.from = Revision{from->first};
    }
    follower->client = Begin(std::move(spec));
    followers_.push_back(std::move(follower));
  }

  void Read(Follower& f) {
    for (const std::string& line : f.client->Take()) {
      std::istringstream words(line);
      std::string type, key;
      uint64_t revision = 0;
      words >> type;
      if (type == "ERROR") {
        f.ended = true;
        continue;
      }
      ASSERT_FALSE(f.ended) << line;
      if (type == "BOOKMARK" || type == "BOOKMARK!") {
        words >> revision;
        ASSERT_EQ(f.initial, type == "BOOKMARK!") << line;
        f.initial = false;
        ASSERT_GE(revision, f.revision) << line;
        f.revision = revision;
        continue;
      }
      words >> key >> revision;
      Apply(f, line, type, key, revision);
    }
    ASSERT_TRUE(!f.ended || f.client->sink.ended);
  }
  static void Apply(Follower& f, const std::string& line, const std::string& type,
                    const std::string& key, uint64_t revision) {
    ASSERT_EQ(f.state.contains(key), type != "ADDED") << line;
    if (type == "DELETED") {
      f.state.erase(key);
    } else {
      f.state[key] = revision;
    }
    if (f.initial) return;
    ASSERT_GT(revision, f.revision) << line;
    f.revision = revision;
  }

  void Step() {
    switch (Below(8)) {
      case 0:
        if (followers_.size() < 40) Join();
        return;
      case 1:
        if (!followers_.empty())
          followers_.erase(followers_.begin() + static_cast<ptrdiff_t>(Below(followers_.size())));
        return;
      case 2:
        worker_.Advance(std::chrono::seconds(Below(100)));
        return;
      case 3:
      case 4:
        for (auto& f : followers_) {
          if (Below(3) == 0) f->client->Drain(1 + Below(4));
        }
        return;
      default:
        PublishSomething();
    }
  }

  // A short log may outrun all clients of one seed, but not of every seed.
  static void TearDownTestSuite() { EXPECT_GT(followed_, 0u); }

  static inline size_t followed_ = 0;  // Clients that were still being served at the end.
  std::mt19937 random_;
  std::map<uint64_t, Snapshot> states_;
  std::vector<std::unique_ptr<Follower>> followers_;
};

TEST_P(ReplicaRandomTest, EveryClientSeesEachChangeOnceInOrderOrIsToldThatItIsTooOld) {
  random_.seed(GetParam());
  Sync();
  states_[log_.revision()] = log_.snapshot();
  for (int step = 0; step < 600; ++step) {
    Step();
    for (auto& f : followers_) ASSERT_NO_FATAL_FAILURE(Read(*f)) << "step " << step;
  }
  for (auto& f : followers_) {
    f->client->Drain();
    ASSERT_NO_FATAL_FAILURE(Read(*f));
    if (f->ended) continue;
    ++followed_;
    EXPECT_EQ(f->state, Seen(f->filter, log_.snapshot())) << "filter " << f->filter;
  }
  followers_.clear();
  EXPECT_EQ(replica().watcher_count(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReplicaRandomTest, ::testing::Range(0u, 60u));

}  // namespace
}  // namespace weir
