// What the parts of FakeApiServer share: one request, and the words of requests and answers.
#pragma once

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "tests/fakes/fake_api_server.h"

namespace weir {

// One request. Held by its tasks; `sink` is null once the client has let go of it.
struct FakeApiServer::Exchange {
  ApiRequest request;
  ApiResponseSink* sink = nullptr;
  Executor* executor = nullptr;
  size_t endpoint = 0;

  // A watch.
  Collection* collection = nullptr;
  bool open = false;
  bool deaf = false;
  bool bookmarks = false;
  uint64_t start = 0;
  uint64_t cursor = 0;
  std::string last_frame;
};

inline std::string StatusJson(int code, std::string_view reason, std::string_view message) {
  return fmt::format(
      R"({{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{}","reason":"{}","code":{}}})",
      message, reason, code);
}

inline ApiResponseHead Head(int status) {
  ApiResponseHead head;
  head.status = status;
  head.content_type = "application/json";
  return head;
}

inline std::string QueryValue(std::string_view target, std::string_view name) {
  const size_t question = target.find('?');
  if (question == std::string_view::npos) return "";
  std::string_view query = target.substr(question + 1);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.substr(0, pair.find('=')) == name && pair.find('=') != std::string_view::npos) {
      return std::string(pair.substr(pair.find('=') + 1));
    }
  }
  return "";
}

inline uint64_t QueryNumber(std::string_view target, std::string_view name) {
  const std::string text = QueryValue(target, name);
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace weir
