// One client of the cache: lists, watches, resumes, is slow, goes away; and checks all that it is
// told against the API server's history (auth-and-forwarding E.8, W1 to W8, W12, W13).
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cache/registry.h"
#include "cache/replica.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/simulation/seen_frame.h"
#include "tests/simulation/world.h"

namespace weir::simulation {

// Collects what went wrong; the first few are enough.
struct Findings {
  std::vector<std::string> texts;
  void Add(std::string text) {
    if (texts.size() < 5) texts.push_back(std::move(text));
  }
};

// How often what has happened over all runs, to know that a run exercises what it should.
struct Tally {
  uint64_t events = 0, bookmarks = 0, expired = 0, reads = 0, most_recent = 0, exact = 0,
           forwarded = 0, resumed = 0, elsewhere = 0, clean_ends = 0;
  std::array<uint64_t, kEncodings> events_in{};  // Of `events`, by encoding.
};

class Client final : private WatchSink {
 public:
  Client(int number, uint64_t seed, size_t worker, Wanted wanted, bool slow, TypeTruth& truth,
         FakeApiServer& server, Registry& registry, std::function<void()> learn, Findings& findings,
         Tally& tally)
      : number_(number),
        random_(seed),
        worker_(worker),
        wanted_(std::move(wanted)),
        slow_(slow),
        truth_(truth),
        server_(server),
        registry_(registry),
        learn_(std::move(learn)),
        findings_(findings),
        tally_(tally) {}

  // One thing that a client may do now. `calm`: nothing that begins anew without need.
  void Step(bool calm) {
    calm_ = calm;
    if (over_) Leave();
    switch (state_) {
      case Stage::kIdle:
        return Open();
      case Stage::kOpening:
        return;
      case Stage::kOpen:
        return Begin(calm);
      case Stage::kReading:
        if (!calm && Chance(0.02)) Leave();
        return;
      case Stage::kWatching:
        if (blocked_ && (calm || !slow_ || Chance(0.2))) {
          blocked_ = false;
          const bool more = watcher_->OnWritable();
          if (more && !over_) blocked_ = true;
        }
        if (!calm && Chance(0.02)) Leave();
        return;
    }
  }

  // At the end: watching, with the state that upstream has.
  void CheckSettled() {
    if (state_ != Stage::kWatching || over_ || blocked_) {
      return Fail(fmt::format("does not watch at the end: stage {}, over {}, blocked {}",
                              static_cast<int>(state_), over_, blocked_));
    }
    if (awaiting_initial_) return Fail("never got the end of its initial events");
    CheckView(server_.revision().value, "at the end");
  }

  // Everything that it holds of its worker.
  void Leave() {
    watcher_.reset();
    ticket_.reset();
    over_ = blocked_ = awaiting_initial_ = false;
    if (state_ == Stage::kOpening) return;
    state_ = Stage::kIdle;
    replica_.reset();
  }

  // Etcd has been restored to `revision`: who knows of later ones, and whose watch will not be
  // told, cannot know what its view is worth.
  void OnRestore(uint64_t revision, bool cache_is_ahead) {
    if (state_ != Stage::kWatching) {
      has_view_ = false;
    } else if (last_ > revision && !cache_is_ahead) {
      has_view_ = false;
      Leave();
    }
  }
  // The cache has noticed: what was read between the two may be of either history.
  void OnRestoreNoticed() {
    if (view_era_ % 2 == 0) return;
    has_view_ = false;
    if (state_ == Stage::kWatching) Leave();
  }
  bool Reads(const TypeTruth& truth) const { return &truth == &truth_; }
  bool opening() const { return state_ == Stage::kOpening; }

 private:
  enum class Stage : uint8_t { kIdle, kOpening, kOpen, kReading, kWatching };
  struct Seen {
    std::string uid;
    uint64_t revision = 0;
  };

  bool Chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }

  void Fail(std::string_view what) {
    findings_.Add(fmt::format("client {} of {} (ns '{}' app '{}' node '{}'): {}", number_,
                              truth_.type.id.resource, wanted_.namespace_, wanted_.label,
                              wanted_.node, what));
  }

  void Open() {
    state_ = Stage::kOpening;
    registry_.Open(worker_, truth_.type.id, WantedEncoding{truth_.encoding, truth_.encoding},
                   [this](std::shared_ptr<Replica> replica) {
                     state_ = replica ? Stage::kOpen : Stage::kIdle;
                     if (!replica) ++tally_.forwarded;
                     replica_ = std::move(replica);
                   });
  }

  void Begin(bool calm) {
    // What was read in another era may be of another history.
    if (has_view_ && view_era_ != truth_.era) has_view_ = false;
    if (!calm && Chance(0.05)) ListElsewhere();
    if (!has_view_ || Chance(calm ? 0.0 : 0.2)) return Read();
    if (truth_.uncached() && replica_->After(Revision{last_}) == Replica::Past::kGone) {
      has_view_ = false;
      return GoElsewhere();
    }
    ++tally_.resumed;
    Watch({.filter = wanted_.ToFilter(),
           .initial = std::nullopt,
           .from = Revision{last_},
           .bookmarks = Chance(0.8)});
  }

  // What is forwarded.
  void GoElsewhere() {
    ++tally_.forwarded;
    state_ = Stage::kIdle;
    if (Chance(0.3)) ListElsewhere();
  }

  void Read() {
    ReadSpec spec;
    const bool resume = has_view_ && view_era_ == truth_.era;
    switch (random_() % 4) {
      case 0:
        spec.kind = ReadSpec::Kind::kAny;
        break;
      case 1:
        spec.kind = ReadSpec::Kind::kMostRecent;
        break;
      case 2:
        if (resume) spec = {ReadSpec::Kind::kExact, Revision{last_}};
        break;
      default:
        if (resume) spec = {ReadSpec::Kind::kNotOlderThan, Revision{last_}};
        break;
    }
    has_view_ = false;
    // As sessions do with a type that upstream keeps no cache of.
    if (truth_.uncached() && spec.kind == ReadSpec::Kind::kMostRecent) return GoElsewhere();
    if (truth_.uncached() && spec.kind == ReadSpec::Kind::kNotOlderThan)
      spec.kind = ReadSpec::Kind::kAny;
    state_ = Stage::kReading;
    asked_era_ = truth_.era;
    asked_restores_ = server_.restores();
    asked_revision_ = LastChange();
    ticket_ = replica_->Read(spec, [this, spec](ReadOutcome outcome, Snapshot snapshot) {
      OnRead(spec, outcome, std::move(snapshot));
    });
  }

  // Upstream itself, or another Weir, answers: with a revision that this cache may never have had.
  void ListElsewhere() {
    if (truth_.era % 2 == 1) return;
    ++tally_.elsewhere;
    view_.clear();
    for (const auto& [key, stored] : server_.state(truth_.type.id)) {
      if (wanted_.Matches(stored)) view_[key] = {stored.uid, stored.revision.value};
    }
    view_era_ = truth_.era;
    last_ = server_.revision().value;
    marked_ = 0;
    has_view_ = true;
  }

  // The newest write of the type that was acknowledged.
  uint64_t LastChange() const {
    const History& history = server_.history(truth_.type.id);
    return history.empty() ? 0 : history.back().after.revision.value;
  }

  void OnRead(const ReadSpec& spec, ReadOutcome outcome, Snapshot snapshot) {
    state_ = Stage::kOpen;
    if (outcome != ReadOutcome::kServe) return GoElsewhere();
    const uint64_t revision = snapshot.revision.value;
    const bool in_parts = replica_->After(snapshot.revision) == Replica::Past::kInParts;
    if (truth_.uncached() && (revision < spec.revision.value || in_parts)) return GoElsewhere();
    ++tally_.reads;
    CheckSnapshot(snapshot);
    const bool same_era = asked_era_ == truth_.era && asked_restores_ == server_.restores();
    if (spec.kind == ReadSpec::Kind::kMostRecent && same_era) {
      ++tally_.most_recent;
      CheckFresh(snapshot);
    }
    if (spec.kind == ReadSpec::Kind::kNotOlderThan && same_era && revision < spec.revision.value) {
      Fail(fmt::format("asked for {} or newer, was given {}", spec.revision.value, revision));
    }
    if (spec.kind == ReadSpec::Kind::kExact) {
      ++tally_.exact;
      if (revision != spec.revision.value) {
        Fail(fmt::format("asked for exactly {}, was given {}", spec.revision.value, revision));
      }
    }
    Adopt(std::move(snapshot));
  }

  // Begins to watch from what was read, or lets the watch deliver it.
  void Adopt(Snapshot snapshot) {
    view_era_ = truth_.era;
    last_ = snapshot.revision.value;
    marked_ = 0;
    view_.clear();
    const bool bookmarks = Chance(0.8);
    if (bookmarks && Chance(0.4)) {
      awaiting_initial_ = true;
      last_key_.clear();
      WatchSpec spec{.filter = wanted_.ToFilter(),
                     .initial = std::move(snapshot),
                     .from = {},
                     .bookmarks = true};
      return Watch(std::move(spec));
    }
    const Filter filter = wanted_.ToFilter();
    for (auto cursor = snapshot.tree.Begin(); cursor.Valid(); cursor.Next()) {
      if (filter.Matches(*cursor)) {
        view_[std::string(cursor->key())] = {std::string(cursor->uid()), cursor->revision().value};
      }
    }
    has_view_ = true;
    CheckView(last_, "of a LIST", truth_.uncached());
  }

  void Watch(WatchSpec spec) {
    state_ = Stage::kWatching;
    watch_era_ = view_era_;
    epoch_ = TypeTruth::EpochOf(watch_era_);
    checked_ = started_ = last_;
    at_last_.clear();
    blocked_ = true;
    over_ = false;
    reader_ = MakeWatchFrameReader(truth_.encoding);
    spec.form.encoding = truth_.encoding;
    spec.mark_only = truth_.uncached();
    watcher_ = replica_->Watch(std::move(spec), *this);
  }

  // ---- From the cache

  bool Write(std::span<const std::string_view> pieces, size_t bytes, size_t) override {
    learn_();
    std::string text;
    for (const std::string_view piece : pieces) text += piece;
    if (text.size() != bytes) Fail("was told another number of bytes");
    reader_->Feed(text);
    WatchFrame frame;
    auto more = reader_->Next(frame);
    for (; more.ok() && *more; more = reader_->Next(frame)) {
      TakeFrame(SeenFrame::Of(frame, truth_.encoding));
    }
    if (!more.ok()) Fail(fmt::format("no frame: {}", std::string(more.status().message())));
    if (reader_->pending() != 0) Fail("a write that does not end with a frame");  // W12
    blocked_ = !calm_ && Chance(slow_ ? 0.7 : 0.05);
    return !blocked_;
  }

  void End() override {
    if (!expired_) ++tally_.clean_ends;
    expired_ = false;
    over_ = true;
  }

  void TakeFrame(const SeenFrame& frame) {
    if (expired_) Fail("a frame after the error that ends the watch");
    if (frame.type == FrameType::kError) return TakeError(frame.code);
    const bool partial = truth_.encoding == Encoding::kProtobufMetadata;
    if (frame.kind != (partial ? "PartialObjectMetadata" : truth_.type.kind))
      Fail(fmt::format("an object of another kind: {}", frame.kind));
    if (frame.type == FrameType::kBookmark)
      return TakeBookmark(frame.revision, frame.initial_events_end);
    TakeEvent(frame.type, frame.key, {frame.uid, frame.revision});
  }

  void TakeError(int code) {
    if (code != 410) Fail(fmt::format("another error than 410: {}", code));
    ++tally_.expired;
    expired_ = true;
    has_view_ = false;
  }

  void TakeEvent(FrameType frame_type, const std::string& key, const Seen& seen) {
    ++tally_.events;
    ++tally_.events_in[static_cast<size_t>(truth_.encoding)];
    const std::string_view type = Name(static_cast<Change::Type>(frame_type));  // In one order.
    if (awaiting_initial_) {
      if (type != "ADDED") Fail("another event than ADDED among the initial ones");
      if (!last_key_.empty() && key <= last_key_) Fail("initial events out of order");  // W13
      last_key_ = key;
      view_[key] = seen;
      return;
    }
    const bool more_of_last = truth_.uncached() && seen.revision == last_;
    if (seen.revision < last_ || (seen.revision == last_ && !more_of_last))
      Fail(fmt::format("{} {} at {} after {}", type, key, seen.revision, last_));  // W1, W2
    if (more_of_last) {
      CheckMoreOf(seen.revision, type, key);
    } else {
      // A gap is looked at as a whole.
      if (truth_.uncached() && truth_.GapEnd(epoch_, seen.revision) == 0 &&
          truth_.GapEnd(epoch_, last_) == 0)
        CheckView(last_, "when all of it had come");
      CheckUpTo(seen.revision, type, key);
      at_last_.clear();
    }
    at_last_.insert(key);
    last_ = seen.revision;
    marked_ = 0;
    const auto found = view_.find(key);
    const bool known = found != view_.end();
    // Who began with the whole of a revision may be told of the rest of it here.
    if (more_of_last && !known && type == "DELETED" && seen.revision == started_) return;
    if (type == "ADDED" ? known : !known)
      Fail(fmt::format("{} of {} at {}", type, key, seen.revision));  // W5
    if (known && found->second.uid != seen.uid)
      Fail(fmt::format("{} of {} with another uid", type, key));
    if (type == "DELETED") {
      view_.erase(key);
    } else {
      view_[key] = seen;
    }
  }

  void TakeBookmark(uint64_t revision, bool initial_end) {
    ++tally_.bookmarks;
    if (initial_end != awaiting_initial_)
      return Fail("a mark of the end of initial events where none was due");
    if (awaiting_initial_) {
      awaiting_initial_ = false;
      has_view_ = true;
      if (revision != last_)
        Fail("the end of initial events at another revision than the snapshot's");
      return CheckView(revision, "of initial events", truth_.uncached());
    }
    if (revision < last_) Fail(fmt::format("a bookmark at {} after {}", revision, last_));
    // A quiet type's repeats itself.
    if (revision == last_ && revision == marked_) return;
    CheckUpTo(revision, "", "");  // W7
    last_ = marked_ = revision;
    CheckView(revision, "at a bookmark");
  }

  // ---- Checks

  // W3, W4: all changes above `checked_` that it had to see are behind it, but for one at
  // `revision`, which is `key`'s.
  void CheckUpTo(uint64_t revision, std::string_view type, std::string_view key) {
    const History& history = truth_.HistoryOf(epoch_, server_);
    const bool in_gap = truth_.GapEnd(epoch_, revision) != 0;
    bool found = key.empty() || in_gap;
    uint64_t crossed = 0;
    auto change =
        std::upper_bound(history.begin(), history.end(), checked_,
                         [](uint64_t r, const Change& c) { return r < c.after.revision.value; });
    for (; change != history.end() && change->after.revision.value <= revision; ++change) {
      const uint64_t at = change->after.revision.value;
      if (const uint64_t end = truth_.GapEnd(epoch_, at); end != 0) {
        crossed = end;
        continue;
      }
      if (crossed != 0) CheckView(crossed, "after a gap");
      crossed = 0;
      const auto expected = wanted_.Sees(*change);
      if (at == revision && !key.empty()) {
        if (truth_.uncached() && change->after.key() != key) continue;
        found = true;
        if (!expected || change->after.key() != key || Name(*expected) != type) {
          Fail(fmt::format("{} {} at {}: not what happened", type, key, revision));
        }
      } else if (expected) {
        Fail(fmt::format("missed {} {} at {} (before {} {} at {}; checked to {})", Name(*expected),
                         change->after.key(), at, type, key, revision, checked_));
      }
    }
    if (!found) Fail(fmt::format("{} {} at {}: never happened", type, key, revision));
    checked_ = revision;
  }

  // An event of a revision that others had before it.
  void CheckMoreOf(uint64_t revision, std::string_view type, const std::string& key) {
    if (at_last_.contains(key)) Fail(fmt::format("{} {} at {} twice", type, key, revision));
    if (truth_.GapEnd(epoch_, revision) != 0) return;
    const Change* const change = ChangeOf(truth_.HistoryOf(epoch_, server_), revision, key);
    const auto expected = change == nullptr ? std::nullopt : wanted_.Sees(*change);
    if (!expected || Name(*expected) != type)
      Fail(fmt::format("{} {} at {}: not what happened", type, key, revision));
  }

  static std::string_view Name(Change::Type type) {
    switch (type) {
      case Change::Type::kAdded:
        return "ADDED";
      case Change::Type::kModified:
        return "MODIFIED";
      case Change::Type::kDeleted:
        return "DELETED";
    }
    return "";
  }

  // W6: the view is what the history says of `revision`; or, `in_part`, of a part of it.
  void CheckView(uint64_t revision, std::string_view where, bool in_part = false) {
    if (Agrees(truth_.HistoryOf(TypeTruth::EpochOf(view_era_), server_), revision, in_part)) return;
    // While a restore has not been noticed everywhere, either history may be meant.
    const bool odd = view_era_ % 2 == 1;
    if (odd && Agrees(server_.history(truth_.type.id), revision, in_part)) return;
    Fail(fmt::format("its view {} of {} is not upstream's: {}", where, revision,
                     Difference(revision)));
  }

  bool Agrees(const History& history, uint64_t revision, bool in_part) const {
    size_t matching = 0;
    for (const auto& [key, stored] : StateAt(history, revision)) {
      if (!wanted_.Matches(stored)) continue;
      ++matching;
      const auto found = view_.find(key);
      if (found == view_.end() || found->second.uid != stored.uid) return false;
      if (found->second.revision != stored.revision.value) return false;
    }
    if (!in_part || matching == view_.size()) return matching == view_.size();
    return std::all_of(view_.begin(), view_.end(),
                       [&](const auto& each) { return IsThereAt(history, revision, each.first); });
  }

  // Or is among what was deleted at it.
  static bool IsThereAt(const History& history, uint64_t revision, const std::string& key) {
    if (ChangeOf(history, revision, key) != nullptr) return true;
    return StateAt(history, revision).contains(key);
  }

  std::string Difference(uint64_t revision) const {
    std::string text;
    const State state = StateAt(truth_.HistoryOf(TypeTruth::EpochOf(view_era_), server_), revision);
    for (const auto& [key, stored] : state) {
      const auto found = view_.find(key);
      if (wanted_.Matches(stored) &&
          (found == view_.end() || found->second.revision != stored.revision.value)) {
        text += fmt::format(" lacks {}@{}", key, stored.revision.value);
      }
    }
    for (const auto& [key, seen] : view_) {
      const auto found = state.find(key);
      if (found == state.end() || !wanted_.Matches(found->second))
        text += fmt::format(" has {}@{}", key, seen.revision);
    }
    return text;
  }

  // Also where it has yet to lose some of what was deleted at `revision` together.
  bool IsState(const ObjectTree& tree, const History& history, uint64_t revision) const {
    State state = StateAt(history, revision);
    if (truth_.uncached()) {
      const State before = StateAt(history, revision - 1);
      for (auto cursor = tree.Begin(); cursor.Valid(); cursor.Next()) {
        const std::string key(cursor->key());
        const auto stored = before.find(key);
        if (stored != before.end() && ChangeOf(history, revision, key) != nullptr)
          state.emplace(key, stored->second);
      }
    }
    return Equal(tree, state);
  }

  static bool Equal(const ObjectTree& tree, const State& state) {
    if (tree.sums().objects != state.size()) return false;
    auto cursor = tree.Begin();
    for (const auto& [key, stored] : state) {
      if (cursor->key() != key || cursor->revision() != stored.revision ||
          cursor->uid() != stored.uid)
        return false;
      cursor.Next();
    }
    return true;
  }

  // Whatever is served is some state that upstream had, at its own revision.
  void CheckSnapshot(const Snapshot& snapshot) {
    const uint64_t revision = snapshot.revision.value;
    const uint64_t epoch = TypeTruth::EpochOf(truth_.era);
    if (IsState(snapshot.tree, truth_.HistoryOf(epoch, server_), revision)) return;
    const bool odd = truth_.era % 2 == 1;
    if (odd && IsState(snapshot.tree, server_.history(truth_.type.id), revision)) return;
    Fail(fmt::format("a snapshot of {} that upstream never had", revision));
  }

  // A read that asked for the most recent state contains every write acknowledged before it asked:
  // it is a state that upstream had then or later. Its revision may be an older one, where nothing
  // differs.
  void CheckFresh(const Snapshot& snapshot) {
    const History& history = server_.history(truth_.type.id);
    bool fresh = Equal(snapshot.tree, StateAt(history, asked_revision_));
    for (auto change = history.rbegin(); !fresh && change != history.rend(); ++change) {
      if (change->after.revision.value < asked_revision_) break;
      fresh = Equal(snapshot.tree, StateAt(history, change->after.revision.value));
    }
    if (!fresh) {
      Fail(fmt::format("a stale read: {} where {} was acknowledged", snapshot.revision.value,
                       asked_revision_));
    }
  }

  const int number_;
  std::mt19937_64 random_;
  const size_t worker_;
  const Wanted wanted_;
  const bool slow_;
  TypeTruth& truth_;
  FakeApiServer& server_;
  Registry& registry_;
  const std::function<void()> learn_;  // Brings `truth_` up to date.
  Findings& findings_;
  Tally& tally_;

  Stage state_ = Stage::kIdle;
  std::shared_ptr<Replica> replica_;
  std::unique_ptr<ReadTicket> ticket_;
  std::unique_ptr<WatchFrameReader> reader_;
  std::unique_ptr<Watcher> watcher_;

  bool has_view_ = false;
  std::map<std::string, Seen> view_;
  uint64_t last_ = 0;    // The newest revision that it knows of.
  uint64_t marked_ = 0;  // What the last bookmark said, if nothing came since.
  uint64_t view_era_ = 0;
  uint64_t asked_era_ = 0, asked_restores_ = 0, asked_revision_ = 0;

  // Of the running watch.
  uint64_t watch_era_ = 0, epoch_ = 0, checked_ = 0, started_ = 0;
  std::set<std::string> at_last_;  // Keys told of at `last_`.
  bool calm_ = false;
  bool awaiting_initial_ = false, blocked_ = false, over_ = false, expired_ = false;
  std::string last_key_;
};

}  // namespace weir::simulation
