// The way in of an HTTP/2 session: what nghttp2's callbacks tell of, recorded.
#include <algorithm>

#include "proxy/admin/metrics.h"
#include "proxy/session/http2_session.h"

namespace weir {

namespace {
constexpr size_t kMinBlockBytes = size_t{64} << 10;
}  // namespace

// False: enough of it.
bool Http2Session::OnFrameHead(const Http2FrameHead& frame) {
  const TimePoint now = worker().Now();
  const auto bounded = [this](bool within, const char* what) {
    if (!within) flood_ = what;
    return within;
  };
  switch (frame.type) {
    case NGHTTP2_HEADERS:
      block_bytes_ = 0;
      block_since_ = now;
      [[fallthrough]];
    case NGHTTP2_CONTINUATION:
      block_bytes_ += frame.length;
      return bounded(block_bytes_ <= std::max(kMinBlockBytes, limits_.max_head_bytes), "fields");
    case NGHTTP2_DATA:
      if ((frame.flags & NGHTTP2_FLAG_END_STREAM) != 0) return true;
      if (frame.length == 0) return bounded(guard_.OnEmptyData(), "empty DATA");
      if ((frame.flags & NGHTTP2_FLAG_PADDED) == 0) guard_.OnDataBytes();
      return true;
    case NGHTTP2_RST_STREAM:
      return bounded(guard_.OnReset(now), "resets");
    case NGHTTP2_WINDOW_UPDATE:
      return bounded(guard_.OnWindowUpdate(), "WINDOW_UPDATE");
    case NGHTTP2_PRIORITY:
      // nghttp2 overlooks all of them once priorities were declined.
      if (frame.stream == 0) protocol_error_ = true;
      return bounded(guard_.OnPriority(), "PRIORITY");
    default:
      return bounded(guard_.OnControl(now), "control frames");
  }
}

bool Http2Session::ScanHeads(std::string_view bytes) {
  const auto visit = [this](const Http2FrameHead& frame) { return OnFrameHead(frame); };
  const bool within = heads_.Scan(bytes, visit);
  const Http2FrameHead& last = heads_.last();
  const bool fields = last.type == NGHTTP2_HEADERS || last.type == NGHTTP2_CONTINUATION;
  const bool complete = !heads_.in_payload() && (last.flags & NGHTTP2_FLAG_END_HEADERS) != 0;
  if (!fields || complete) block_since_ = TimePoint::max();
  return within;
}

void Http2Session::OnStreamOpened(int32_t id) {
  guard_.OnStream();
  // Handlers of streams that were reset count until they have noticed.
  if (streams_.size() >= max_streams_ || running >= 2 * size_t{max_streams_}) {
    OnResetProvoked();
    return Reset(id, NGHTTP2_REFUSED_STREAM);
  }
  auto stream = std::make_shared<Http2Stream>(*this, id, limits_);
  nghttp2_session_set_stream_user_data(session_, id, stream.get());
  // All streams take turns, whatever the client says of priorities.
  const nghttp2_extpri turns = {NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
  nghttp2_session_change_extpri_stream_priority(session_, id, &turns, 1);
  streams_.emplace(id, std::move(stream));
  ProcessMetrics().http2_streams.Add();
}

void Http2Session::OnHeadersReceived(int32_t id, bool end_stream) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Http2Stream& stream = *found->second;
  if (stream.builder() == nullptr) {
    if (end_stream) stream.OnBodyEnd();
  } else if (stream.CompleteHead(end_stream)) {
    new_.push_back(found->second);
  } else {
    ProcessMetrics().bad_requests.Add();
    Reset(id, NGHTTP2_PROTOCOL_ERROR);
  }
}

void Http2Session::OnDataReceived(int32_t id, std::string_view bytes, Http2Stream* stream) {
  guard_.OnDataBytes();
  if (stream != nullptr) return stream->OnBody(bytes);
  nghttp2_session_consume(session_, id, bytes.size());
}

void Http2Session::OnPaddingOnly() {
  if (!guard_.OnEmptyData()) flood_ = "empty DATA";
}

void Http2Session::OnStreamClosed(int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  closed_.push_back(std::move(found->second));
  streams_.erase(found);
  ProcessMetrics().http2_streams.Sub();
  changed_ = true;
  if (streams_.empty()) idle_since_ = worker().Now();
}

void Http2Session::OnResetProvoked() {
  if (!guard_.OnReset(worker().Now())) flood_ = "resets";
}

bool Http2Session::AddData(Http2Stream& stream, std::string_view head, size_t size, bool crumb) {
  if (!batch_->HasRoom(head.size() + size)) {
    batch_full_ = true;
    return false;
  }
  guard_.OnDataSent();
  if (crumb && !guard_.OnCrumb(worker().Now())) flood_ = "tiny windows";
  batch_->AddCopy(head);
  stream.TakeInto(*batch_, size);
  taken_.push_back(stream.shared_from_this());
  if (stream.available() == 0 && stream.waiting) changed_ = true;
  return true;
}

}  // namespace weir
