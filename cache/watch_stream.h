// One WATCH from upstream: its frames as they arrive, and why it ended.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cache/list_watcher.h"
#include "protocol/base/status.h"
#include "protocol/k8s/resource.h"
#include "protocol/k8s/watch_frame.h"

namespace weir {

// Thread-affine to the ListWatcher's executor. Destroying it cancels the request.
class WatchStream final : private ApiResponseSink {
 public:
  struct Start {
    Revision from;  // Events after it.
    std::chrono::seconds timeout{0};
    Encoding encoding = Encoding::kJson;
    bool rapid = false;  // One that is opened for its early bookmark (design, section 7).
  };

  enum class Ending : uint8_t {
    kClean,    // At an event's end, as upstream wants it.
    kBroken,   // Transport, time-out, or in the middle of a frame.
    kRefused,  // An HTTP answer that is not 200: `http`.
    kExpired,  // 410: the history after `from` is gone.
    kError,    // Another ERROR event: `http` is its code.
    kUnfit,    // The handler refused a frame, or it is not a frame.
  };
  struct End {
    Ending ending = Ending::kClean;
    Status status;
    int http = 0;
    Duration retry_after{0};
  };

  class Handler {
   public:
    virtual ~Handler() = default;
    // 200. May destroy other streams.
    virtual void OnWatchOpen(WatchStream& stream) = 0;
    // An event or a bookmark; an error ends the stream as kUnfit. Must not destroy the stream.
    virtual Status OnWatchFrame(WatchStream& stream, const WatchFrame& frame) = 0;
    // All frames that were readable at once have been given. May destroy the stream.
    virtual void OnWatchDrained(WatchStream& stream) = 0;
    // The last call. May destroy the stream.
    virtual void OnWatchEnd(WatchStream& stream, const End& end) = 0;
  };

  WatchStream(ListWatcher& upstream, std::string_view collection_path, Start start,
              Handler& handler);
  ~WatchStream() override;

  const Start& start() const { return start_; }
  bool open() const { return http_ == 200; }
  // Bytes of a frame that has not come in whole.
  bool mid_frame() const { return reader_->pending() > 0; }

 private:
  // False when it ended the stream, which may then be destroyed.
  bool GiveFrames();
  void Finish(const End& end);
  End ErrorEnd(std::string_view object) const;

  void OnHead(const ApiResponseHead& head) override;
  void OnBody(std::string_view bytes) override;
  void OnEnd(const Status& status) override;

  const Start start_;
  Handler& handler_;
  const std::unique_ptr<WatchFrameReader> reader_;
  int http_ = 0;
  Duration retry_after_{0};
  std::unique_ptr<ApiCall> call_;
};

}  // namespace weir
