#include "cache/watch_stream.h"

#include <utility>

#include <fmt/format.h>

#include "protocol/k8s/proto_watch_frame.h"

namespace weir {

WatchStream::WatchStream(ListWatcher& upstream, std::string_view collection_path, Start start,
                         Handler& handler)
    : start_(start), handler_(handler), reader_(MakeWatchFrameReader(start.encoding)) {
  ApiRequest request;
  request.target =
      fmt::format("{}?allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}&watch=true",
                  collection_path, start.from.value, start.timeout.count());
  request.accept = FeedAccept(start.encoding, /*watch=*/true);
  request.head_timeout = std::chrono::seconds(start.rapid ? 3 : 15);
  call_ = upstream.Get(std::move(request), *this);
}

WatchStream::~WatchStream() = default;

void WatchStream::OnHead(const ApiResponseHead& head) {
  http_ = head.status;
  retry_after_ = std::chrono::seconds(head.retry_after_seconds);
  if (open()) handler_.OnWatchOpen(*this);
}

void WatchStream::OnBody(std::string_view bytes) {
  if (!open()) return;
  reader_->Feed(bytes);
  if (GiveFrames()) handler_.OnWatchDrained(*this);
}

bool WatchStream::GiveFrames() {
  WatchFrame frame;
  while (true) {
    const StatusOr<bool> next = reader_->Next(frame);
    if (!next.ok()) {
      Finish({.ending = Ending::kUnfit, .status = next.status()});
      return false;
    }
    if (!*next) return true;
    if (frame.type == FrameType::kError) {
      Finish(ErrorEnd(frame.object));
      return false;
    }
    if (Status status = handler_.OnWatchFrame(*this, frame); !status.ok()) {
      Finish({.ending = Ending::kUnfit, .status = std::move(status)});
      return false;
    }
  }
}

WatchStream::End WatchStream::ErrorEnd(std::string_view object) const {
  StatusSummary summary =
      IsProtobuf(start_.encoding) ? ReadProtobufStatus(object) : ReadStatus(object);
  return {.ending = summary.code == 410 ? Ending::kExpired : Ending::kError,
          .status = OutOfRange(summary.message),
          .http = summary.code};
}

void WatchStream::OnEnd(const Status& status) {
  if (!status.ok()) return Finish({.ending = Ending::kBroken, .status = status});
  if (!open()) {
    return Finish({.ending = http_ == 410 ? Ending::kExpired : Ending::kRefused,
                   .status = FailedPrecondition(fmt::format("upstream answered {}", http_)),
                   .http = http_,
                   .retry_after = retry_after_});
  }
  if (mid_frame())
    return Finish({.ending = Ending::kBroken, .status = Unavailable("it ended inside an event")});
  Finish({});
}

void WatchStream::Finish(const End& end) {
  call_.reset();
  handler_.OnWatchEnd(*this, end);
}

}  // namespace weir
