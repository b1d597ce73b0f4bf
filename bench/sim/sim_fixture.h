// A small simulated API without sockets, for the simulator's own tests.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "bench/sim/api.h"

namespace weir::sim {

// Two nodes with two pods each, asked as an administrator unless a token is named.
class SimFixture {
 public:
  explicit SimFixture(size_t history = 100)
      : store_(history),
        population_(store_, SmallSizes(), 1),
        api_(store_, population_, access_, faults_, 1) {
    access_.AddToken("admin", {"admin", "", {"system:masters"}, {}});
    filled_ = population_.Fill();
  }

  Answer Ask(std::string_view method, std::string_view target, std::string_view body = "",
             std::string_view type = "application/json", std::string_view token = "admin") {
    Request request;
    request.head.method = method;
    request.head.target = target;
    request.head.headers.Add("Authorization", "Bearer " + std::string(token));
    if (!body.empty()) request.head.headers.Add("Content-Type", type);
    request.body = body;
    return api_.Handle(request, now_, false);
  }
  Reply Call(std::string_view method, std::string_view target, std::string_view body = "",
             std::string_view type = "application/json", std::string_view token = "admin") {
    const Answer answer = Ask(method, target, body, type, token);
    if (const auto* reply = std::get_if<Reply>(&answer.content)) return *reply;
    Reply reply;
    if (const auto* list = std::get_if<std::unique_ptr<ListCursor>>(&answer.content)) {
      Gather gather;
      while ((*list)->Next(1 << 16, gather) != ListCursor::Step::kEnd) {
        for (const std::string_view piece : gather.pieces()) reply.body += piece;
        gather.Clear();
      }
    }
    return reply;
  }
  Json Tree(std::string_view target) {
    return ParseJson(Call("GET", target).body).value_or(Json());
  }
  std::unique_ptr<Watch> StartWatch(std::string_view target) {
    Answer answer = Ask("GET", target);
    auto* watch = std::get_if<std::unique_ptr<Watch>>(&answer.content);
    return watch != nullptr ? std::move(*watch) : nullptr;
  }
  // "TYPE name" of every line that is there now; bookmarks and errors as "TYPE".
  static std::vector<std::string> Lines(Watch& watch) {
    std::string text;
    for (size_t before = 1; before != 0;) {
      const size_t size = text.size();
      watch.Take(1 << 16, text);
      before = text.size() - size;
    }
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      const Json event = ParseJson(std::string_view(text).substr(at, end - at)).value_or(Json());
      std::string line(TextAt(event, {"type"}));
      const std::string_view name = TextAt(event, {"object", "metadata", "name"});
      if (!name.empty()) line += " " + std::string(name);
      lines.push_back(std::move(line));
      at = end + 1;
    }
    return lines;
  }
  Reply CreateConfigMap(std::string_view name, std::string_view labels = "{}") {
    return Call("POST", "/api/v1/namespaces/default/configmaps",
                R"({"metadata":{"name":")" + std::string(name) + R"(","labels":)" +
                    std::string(labels) + "}}");
  }
  Reply Delete(std::string_view name) {
    return Call("DELETE", "/api/v1/namespaces/default/configmaps/" + std::string(name));
  }
  std::string Revision() const { return std::to_string(store_.revision().value); }

  static Sizes SmallSizes() {
    Sizes sizes;
    sizes.nodes = 2;
    sizes.pods_per_node = 2;
    sizes.namespaces = 1;
    sizes.services = 1;
    sizes.configmaps = 0;
    sizes.secrets = 0;
    sizes.crontabs = 1;
    return sizes;
  }

  TimePoint now_{std::chrono::hours(1)};
  Store store_;
  Population population_;
  Access access_;
  Faults faults_;
  Api api_;
  Status filled_;
};

}  // namespace weir::sim
