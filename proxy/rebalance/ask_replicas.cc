#include "proxy/rebalance/ask_replicas.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "proxy/config/version.h"
#include "proxy/net/dial.h"
#include "proxy/net/signal.h"
#include "proxy/net/stream.h"

namespace weir {
namespace {

constexpr size_t kMaxAddresses = 256;
constexpr size_t kAtOnce = 8;

struct Address {
  std::string ip;
  uint16_t port = 0;
  size_t name = 0;  // The first that led to it.
};

// One round of questions, shared by those that ask.
struct Round {
  Round(Worker& w, Duration t) : worker(w), timeout(t), all_asked(w) {}

  void Note(size_t name, StatusOr<ReplicaLoad> answer);

  Worker& worker;
  const Duration timeout;
  std::vector<Address> addresses;
  size_t next = 0;  // Of the addresses, to be asked.
  size_t asking = 0;
  Signal all_asked;
  std::vector<ReplicaLoad> replicas;
  std::vector<bool> answered;     // By name.
  std::vector<std::string> whys;  // By name.
};

void Round::Note(size_t name, StatusOr<ReplicaLoad> answer) {
  if (!answer.ok()) {
    whys[name] = Message(answer.status());
    return;
  }
  answered[name] = true;
  const bool known = std::any_of(replicas.begin(), replicas.end(), [&](const ReplicaLoad& r) {
    return r.instance == answer->instance;
  });
  if (!known) replicas.push_back(*std::move(answer));
}

Async<StatusOr<ReplicaLoad>> AskOne(Worker& worker, std::string ip, uint16_t port,
                                    TimePoint deadline) {
  const StatusOr<int> socket = co_await Dial(worker, ip, port, deadline);
  if (!socket.ok()) co_return socket.status();
  Stream stream(worker, *socket, nullptr);
  stream.SetDeadline(deadline);
  const bool six = ip.find(':') != std::string::npos;
  const std::string host = six ? fmt::format("[{}]:{}", ip, port) : fmt::format("{}:{}", ip, port);
  stream.Write(
      fmt::format("GET /rebalancez HTTP/1.1\r\nHost: {}\r\nUser-Agent: weir/{}\r\n"
                  "Accept: application/json\r\nConnection: close\r\n\r\n",
                  host, Version()));
  std::string bytes(kMaxLoadAnswer + 1, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const StatusOr<size_t> got = co_await stream.Read(bytes.data() + size, bytes.size() - size);
    if (!got.ok()) co_return got.status();
    if (*got == 0) break;
    size += *got;
  }
  co_return ParseLoadAnswer(std::string_view(bytes).substr(0, size));
}

// The next that nobody has asked, until there is none.
Async<void> AskInTurn(std::shared_ptr<Round> round) {
  while (round->next < round->addresses.size()) {
    const Address address = round->addresses[round->next++];
    StatusOr<ReplicaLoad> answer = Internal("not asked");
    try {
      answer = co_await AskOne(round->worker, address.ip, address.port,
                               round->worker.Now() + round->timeout);
    } catch (const std::exception& failure) {
      answer = Internal(failure.what());
    }
    round->Note(address.name, std::move(answer));
  }
  if (--round->asking == 0) round->all_asked.Notify();
}

void AddAddresses(Round& round, const std::vector<std::string>& ips, uint16_t port, size_t name) {
  for (const std::string& ip : ips) {
    if (round.addresses.size() >= kMaxAddresses) return;
    const auto same = std::find_if(round.addresses.begin(), round.addresses.end(),
                                   [&](const Address& a) { return a.ip == ip && a.port == port; });
    // Another name's address answers for that name alone: two names of one replica are both heard.
    if (same != round.addresses.end() && same->name == name) continue;
    round.addresses.push_back({ip, port, name});
  }
}

}  // namespace

Async<ReplicaAnswers> AskReplicas(Worker& worker, std::vector<HostPort> names, Duration timeout) {
  const auto round = std::make_shared<Round>(worker, timeout);
  round->answered.resize(names.size());
  round->whys.resize(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    const StatusOr<std::vector<std::string>> ips =
        co_await LookUpHost(worker, names[i].host, names[i].port, worker.Now() + timeout);
    if (ips.ok()) {
      AddAddresses(*round, *ips, names[i].port, i);
    } else {
      round->whys[i] = Message(ips.status());
    }
  }
  round->asking = std::min(kAtOnce, round->addresses.size());
  for (size_t i = 0, count = round->asking; i < count; ++i) worker.Spawn(AskInTurn(round));
  while (round->asking > 0) static_cast<void>(co_await round->all_asked.Wait());

  ReplicaAnswers answers;
  answers.replicas = std::move(round->replicas);
  for (size_t i = 0; i < names.size(); ++i) {
    if (round->answered[i]) continue;
    ReplicaAnswers::Silent silent{names[i], round->whys[i]};
    if (silent.why.empty()) silent.why = "it is one of too many";
    answers.silent.push_back(std::move(silent));
  }
  co_return answers;
}

}  // namespace weir
