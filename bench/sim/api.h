// The API itself: a request in, an answer out, no sockets. Reads, writes, reviews, discovery.
//
// Thread-affine. Never waits: where upstream would wait for a revision, the answer says so and the
// caller asks again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>

#include "bench/sim/faults.h"
#include "bench/sim/identity.h"
#include "bench/sim/population.h"
#include "bench/sim/request.h"
#include "bench/sim/store.h"
#include "bench/sim/watch.h"
#include "cache/list_cursor.h"
#include "protocol/base/executor.h"
#include "protocol/http/message.h"

namespace weir::sim {

struct Request {
  http::RequestHead head;
  std::string body;
  const ClientCertificate* certificate = nullptr;
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  http::HeaderList headers;  // Beside those that every answer has.
};

struct Answer {
  // A whole body, a list in pieces, or a stream of events.
  std::variant<Reply, std::unique_ptr<ListCursor>, std::unique_ptr<Watch>> content;
  std::string resource;  // For faults and counters; "" for other URLs.
  // Set: wait until the store has reached this revision, at most three seconds, and ask again with
  // `waited`.
  std::optional<Revision> wait_for;

  Answer(Reply reply) : content(std::move(reply)) {}  // NOLINT(google-explicit-constructor)
  Answer(std::unique_ptr<ListCursor> list)
      : content(std::move(list)) {}  // NOLINT(google-explicit-constructor)
  Answer(std::unique_ptr<Watch> watch)
      : content(std::move(watch)) {}  // NOLINT(google-explicit-constructor)
};

Reply ReplyOf(const ApiError& error);
Reply JsonReply(std::string body, int status = 200);

// Requests by "verb resource", for the control port. Bounded by what the API serves.
using RequestCounts = std::map<std::string, uint64_t>;

class Api {
 public:
  Api(Store& store, Population& population, Access& access, Faults& faults, uint64_t seed);

  Answer Handle(const Request& request, TimePoint now, bool waited);
  const RequestCounts& counts() const { return counts_; }

 private:
  struct Call;  // One request with all that is known of it.

  Answer Route(const Call& call);
  Answer NonResource(const Call& call);
  // Reads.
  Answer List(const Call& call, Collection& collection);
  Answer StartWatch(const Call& call, std::shared_ptr<Collection> collection);
  Answer Get(const Call& call, Collection& collection);
  // Writes.
  Reply Create(const Call& call, Collection& collection);
  Reply Update(const Call& call, Collection& collection);
  Reply Replace(const Call& call, Collection& collection, const Object& old, Json object);
  Reply Delete(const Call& call, Collection& collection);
  Reply DeleteCollection(const Call& call, Collection& collection);
  // Marks an object that has finalizers, else removes it.
  Reply DeleteObject(Collection& collection, const std::string& key);
  ObjectRef Remove(Collection& collection, const std::string& key);
  void AfterWrite(const Collection& collection, const Object* old, const Json* now);
  // Reviews.
  Reply Review(const Call& call, std::string_view kind);
  void ReviewToken(Json& review) const;
  void ReviewAccess(Json& review, const Identity& self) const;
  // Discovery.
  std::optional<Reply> Discover(const Call& call);
  Reply GroupList() const;
  std::optional<Reply> Group(std::string_view name) const;
  std::optional<Reply> Resources(std::string_view group, std::string_view version) const;
  Reply OpenApiIndex() const;
  std::optional<Reply> OpenApi(std::string_view group, std::string_view version) const;

  Store& store_;
  Population& population_;
  Access& access_;
  Faults& faults_;
  std::mt19937_64 random_;
  RequestCounts counts_;
};

struct Api::Call {
  const Request& request;
  Query query;
  RequestInfo info;
  Identity identity;
  TimePoint now;
  bool waited;
};

}  // namespace weir::sim
