// What the parts of FakeApiServer share: one request, and the words of requests and answers.
#pragma once

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "protocol/k8s/api_error.h"
#include "tests/fakes/fake_api_server.h"

namespace weir {

// One request. Held by its tasks; `sink` is null once the client has let go of it.
struct FakeApiServer::Exchange {
  ApiRequest request;
  ApiResponseSink* sink = nullptr;
  Executor* executor = nullptr;
  size_t endpoint = 0;
  Encoding encoding = Encoding::kJson;  // That was asked for.

  // A watch.
  Collection* collection = nullptr;
  bool open = false;
  bool deaf = false;
  bool bookmarks = false;
  uint64_t start = 0;
  uint64_t cursor = 0;
  bool pausing = false;  // Between two events of one revision.
};

inline Encoding EncodingOf(std::string_view accept) {
  if (accept == kJsonType) return Encoding::kJson;
  return accept == kProtobufType ? Encoding::kProtobuf : Encoding::kProtobufMetadata;
}

inline std::string_view TypeName(FakeApiServer::Change::Type type) {
  constexpr std::string_view kNames[] = {"ADDED", "MODIFIED", "DELETED"};
  return kNames[static_cast<size_t>(type)];
}

inline ApiError Error(int code, std::string reason, std::string message) {
  ApiError error;
  error.code = code;
  error.reason = std::move(reason);
  error.message = std::move(message);
  return error;
}

inline ApiResponseHead Head(int status, Encoding encoding = Encoding::kJson) {
  ApiResponseHead head;
  head.status = status;
  head.content_type = IsProtobuf(encoding) ? kProtobufType : kJsonType;
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
