// One consistent LIST from upstream, page after page, into objects.
//
//   pages ─▶ ListReader ─▶ MetadataScanner ─▶ Object … ─▶ ListOutcome, once
//
// Asked without a revision, so the answer is not older than the moment of asking
// (api-semantics 2.2). All pages are of one revision: that of the first, which the continue token
// carries.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "cache/list_watcher.h"
#include "cache/object.h"
#include "cache/object_tree.h"
#include "protocol/base/status.h"
#include "protocol/k8s/list_reader.h"
#include "protocol/k8s/metadata_scan.h"
#include "protocol/k8s/resource.h"

namespace weir {

struct LoadedList {
  Revision revision;
  std::string kind, api_version;   // Of the list: "PodList", "v1".
  std::string warning;             // `Warning` value lines of the first page.
  std::vector<ObjectRef> objects;  // In strictly rising key order.
  bool typed_items = false;  // The items carry kind and apiVersion; false where there are no items.
  std::string item_kind;     // Of the first item, where typed.
};

struct ListOutcome {
  // OK: `list` holds. Unavailable, DeadlineExceeded: transport. ResourceExhausted: does not fit the
  // memory. InvalidArgument: not a list as we know it. OutOfRange: the list expired between two
  // pages. FailedPrecondition: `http` is an answer that is not 200.
  Status status;
  int http = 0;  // 0: there was no answer.
  Duration retry_after{0};
  bool opaque_revision =
      false;  // With InvalidArgument: the revision is no number, and never will be.
  LoadedList list;
};

// Thread-affine to the ListWatcher's executor. Destroying it cancels the request.
class ListLoad final : private ApiResponseSink {
 public:
  struct Options {
    uint64_t page_size = 10000;
    Encoding encoding = Encoding::kJson;
    bool first_page_only = false;  // With page_size 1: a probe, which only wants the revision.
    std::shared_ptr<const SelectableFields> fields = std::make_shared<const SelectableFields>();
    Duration head_timeout = std::chrono::seconds(30);
    // Objects that are there already, to be shared where the bytes are the same.
    ObjectTree known;
    // Whether `bytes` of new objects so far are still acceptable; empty: always.
    std::function<bool(size_t bytes)> fits;
  };
  // Called once, never inside the constructor; may destroy the ListLoad.
  using Done = absl::AnyInvocable<void(ListOutcome)>;

  ListLoad(ListWatcher& upstream, std::string collection_path, Options options, Done done);
  ~ListLoad() override;

 private:
  void AskPage(const std::string& continue_token);
  Status TakeItem(std::string_view item);
  Status EndPage();
  Status SortByKey();
  void Finish(Status status);

  void OnHead(const ApiResponseHead& head) override;
  void OnBody(std::string_view bytes) override;
  void OnEnd(const Status& status) override;

  ListWatcher& upstream_;
  const std::string path_;
  const Options options_;
  Done done_;

  std::unique_ptr<ApiCall> call_;
  std::unique_ptr<ListReader> reader_;  // Of the page that is being read.
  const MetadataScanner scanner_;
  ListOutcome outcome_;
  std::string continue_token_;  // Of the page that was read last.
  bool first_page_ = true;
  bool sorted_ = true;
  size_t new_bytes_ = 0;
};

}  // namespace weir
