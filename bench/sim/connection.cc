#include "bench/sim/connection.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <ctime>

#include "protocol/http/chunked.h"
#include "protocol/http/head.h"

namespace weir::sim {
namespace {

namespace beast = boost::beast;

constexpr auto kTuple = net::as_tuple(net::use_awaitable);
constexpr auto kHandshakeTime = std::chrono::seconds(10);
constexpr auto kIdleTime = std::chrono::seconds(90);
constexpr auto kRequestTime = std::chrono::seconds(60);
constexpr auto kWriteTime = std::chrono::seconds(60);
constexpr auto kFreshnessWait = std::chrono::seconds(3);
constexpr auto kFreshnessPoll = std::chrono::milliseconds(20);
constexpr uint32_t kMaxHead = 64 * 1024;
constexpr uint64_t kMaxBody = 3 * 1024 * 1024;  // As kube-apiserver.
constexpr size_t kWriteBytes = 64 * 1024;
// Go buffers answers up to this size, and then knows their length.
constexpr size_t kMaxKnownLength = 2048;

std::string DateText() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[40];
  return std::string(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc));
}

std::string NewAuditId() {
  static uint64_t count = 0;
  ++count;
  return fmt::format("00000000-0000-4000-8000-{:012x}", count);
}

std::string Utf8(X509_NAME_ENTRY* entry) {
  unsigned char* text = nullptr;
  const int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
  if (length < 0) return {};
  std::string out(reinterpret_cast<const char*>(text), static_cast<size_t>(length));
  OPENSSL_free(text);
  return out;
}

std::vector<std::string> NamesOf(X509* certificate, int nid) {
  std::vector<std::string> names;
  X509_NAME* subject = X509_get_subject_name(certificate);
  for (int at = X509_NAME_get_index_by_NID(subject, nid, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(subject, nid, at)) {
    names.push_back(Utf8(X509_NAME_get_entry(subject, at)));
  }
  return names;
}

template <typename Head>
http::RequestHead ConvertHead(const Head& message) {
  http::RequestHead head;
  head.method = std::string(message.method_string());
  head.target = std::string(message.target());
  head.minor_version = static_cast<int>(message.version() % 10);
  for (const auto& field : message) {
    head.headers.Add({field.name_string().data(), field.name_string().size()},
                     {field.value().data(), field.value().size()});
  }
  head.keep_alive = message.keep_alive() && head.minor_version == 1;
  return head;
}

}  // namespace

TimePoint Now() { return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now()); }

Connection::Connection(net::ip::tcp::socket socket, net::ssl::context& tls,
                       std::shared_ptr<ServerContext> context)
    : stream_(std::move(socket), tls),
      context_(std::move(context)),
      deadline_(stream_.get_executor()),
      wake_(stream_.get_executor()),
      input_(kMaxHead + kMaxBody) {
  ++context_->counters.connections;
  ++context_->counters.accepted;
}

Connection::~Connection() { --context_->counters.connections; }

net::awaitable<void> Connection::Serve(std::shared_ptr<Connection> self) {
  bool open = co_await self->Handshake();
  while (open) {
    auto request = co_await self->ReadRequest();
    if (!request) break;
    ++self->context_->counters.requests;
    auto shared = std::make_shared<const Request>(*std::move(request));
    const bool sent = co_await self->Respond(shared);
    open = sent && shared->head.keep_alive && !self->gone_;
  }
  self->Close();
}

net::awaitable<bool> Connection::Handshake() {
  SetDeadline(kHandshakeTime);
  // A certificate that does not verify is the API's business: 401, not a failed handshake.
  stream_.set_verify_callback([this](bool verified, net::ssl::verify_context&) {
    certificate_accepted_ = certificate_accepted_ && verified;
    return true;
  });
  const auto [error] = co_await stream_.async_handshake(net::ssl::stream_base::server, kTuple);
  if (!error) ReadCertificate();
  co_return !error;
}

void Connection::ReadCertificate() {
  X509* certificate = SSL_get0_peer_certificate(stream_.native_handle());
  if (certificate == nullptr) return;
  ClientCertificate& result = certificate_.emplace();
  result.verified = certificate_accepted_;
  const auto names = NamesOf(certificate, NID_commonName);
  if (!names.empty()) result.common_name = names.back();
  result.organisations = NamesOf(certificate, NID_organizationName);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  X509_digest(certificate, EVP_sha256(), digest, &length);
  for (unsigned int i = 0; i < length; ++i) result.fingerprint += fmt::format("{:02x}", digest[i]);
}

net::awaitable<std::optional<Request>> Connection::ReadRequest() {
  SetDeadline(kIdleTime);
  while (reading_ahead_) {
    wake_.expires_at(std::chrono::steady_clock::time_point::max());
    co_await wake_.async_wait(kTuple);
  }
  if (gone_) co_return std::nullopt;
  beast::http::request_parser<beast::http::string_body> parser;
  parser.header_limit(kMaxHead);
  parser.body_limit(kMaxBody);
  const auto [head_error, head_size] =
      co_await beast::http::async_read_header(stream_, input_, parser, kTuple);
  if (head_error) co_return std::nullopt;
  SetDeadline(kRequestTime);
  if (parser.get()[beast::http::field::expect] == "100-continue") {
    if (!co_await Write("HTTP/1.1 100 Continue\r\n\r\n")) co_return std::nullopt;
  }
  const auto [error, size] = co_await beast::http::async_read(stream_, input_, parser, kTuple);
  if (error) co_return std::nullopt;
  Request request;
  request.head = ConvertHead(parser.get());
  request.body = std::move(parser.get().body());
  request.certificate = certificate_ ? &*certificate_ : nullptr;
  co_return request;
}

net::awaitable<bool> Connection::Respond(std::shared_ptr<const Request> request) {
  const Query query(request->head.query());
  const std::string resource =
      ParseRequestInfo(request->head.method, request->head.path(), query).id.resource;
  co_await WaitWhileStalled(resource);
  Answer answer = context_->api.Handle(*request, Now(), false);
  if (answer.wait_for) {
    co_await WaitForRevision(*answer.wait_for);
    answer = context_->api.Handle(*request, Now(), true);
  }
  if (const auto* reply = std::get_if<Reply>(&answer.content)) {
    co_return co_await SendReply(*request, *reply);
  }
  if (const auto* list = std::get_if<std::unique_ptr<ListCursor>>(&answer.content)) {
    co_return co_await SendList(*request, **list, resource);
  }
  Watch& watch = *std::get<std::unique_ptr<Watch>>(answer.content);
  co_return co_await SendWatch(*request, watch, resource);
}

std::string Connection::Head(const Request& request, int status, std::string_view content_type,
                             const http::HeaderList& more, Framing framing, uint64_t length) {
  http::ResponseHead head;
  head.status = status;
  head.minor_version = request.head.minor_version;
  const std::string* audit = request.head.headers.First("Audit-ID");
  head.headers.Add("Audit-Id", audit != nullptr && !audit->empty() ? *audit : NewAuditId());
  head.headers.Add("Cache-Control", "no-cache, private");
  head.headers.Add("Content-Type", content_type);
  for (const http::Header& line : more.lines()) head.headers.Add(line.name, line.value);
  if (status != 401) {
    head.headers.Add("X-Kubernetes-Pf-Flowschema-Uid", "5f3c0e0a-0000-4000-8000-000000000001");
    head.headers.Add("X-Kubernetes-Pf-Prioritylevel-Uid", "5f3c0e0a-0000-4000-8000-000000000002");
  }
  head.headers.Add("Date", DateText());
  if (framing == Framing::kLength) head.headers.Add("Content-Length", std::to_string(length));
  if (framing == Framing::kChunked) head.headers.Add("Transfer-Encoding", "chunked");
  if (!request.head.keep_alive || framing == Framing::kUntilClose) {
    head.headers.Add("Connection", "close");
  }
  std::string text;
  http::AppendResponseHead(head, text);
  return text;
}

net::awaitable<bool> Connection::SendReply(const Request& request, const Reply& reply) {
  std::string bytes = Head(request, reply.status, reply.content_type, reply.headers,
                           Framing::kLength, reply.body.size());
  if (request.head.method != "HEAD") bytes += reply.body;
  co_return co_await Write(bytes);
}

net::awaitable<bool> Connection::SendList(const Request& request, ListCursor& list,
                                          const std::string& resource) {
  Gather gather;
  std::string bytes;
  bool head_sent = false;
  const bool chunked = request.head.minor_version == 1;
  for (;;) {
    gather.Clear();
    if (list.Next(kWriteBytes, gather) == ListCursor::Step::kEnd) break;
    for (const std::string_view piece : gather.pieces()) bytes += piece;
    if (bytes.size() <= kMaxKnownLength) continue;  // Perhaps that is all.
    if (!head_sent) {
      const std::string head = Head(request, 200, "application/json", {},
                                    chunked ? Framing::kChunked : Framing::kUntilClose, 0);
      if (!co_await Write(head)) co_return false;
      head_sent = true;
    }
    if (!co_await WriteBody(request, bytes, resource)) co_return false;
    bytes.clear();
  }
  if (!head_sent) {
    bytes.insert(0, Head(request, 200, "application/json", {}, Framing::kLength, bytes.size()));
    co_return co_await Write(bytes);
  }
  if (!bytes.empty() && !co_await WriteBody(request, bytes, resource)) co_return false;
  if (!chunked) co_return false;
  co_return co_await Write(http::kLastChunk);
}

net::awaitable<bool> Connection::SendWatch(const Request& request, Watch& watch,
                                           const std::string& resource) {
  const bool chunked = request.head.minor_version == 1;
  const std::string head = Head(request, 200, "application/json", {},
                                chunked ? Framing::kChunked : Framing::kUntilClose, 0);
  if (!co_await Write(head)) co_return false;
  ReadAhead();
  watch.OnWake([this] { wake_.cancel(); });
  const bool finished = co_await SendEvents(request, watch, resource);
  watch.OnWake(nullptr);
  if (!finished || !chunked) co_return false;
  co_return co_await Write(http::kLastChunk);
}

// False: the stream must not end as if it were whole.
net::awaitable<bool> Connection::SendEvents(const Request& request, Watch& watch,
                                            const std::string& resource) {
  std::string events;
  while (!gone_) {
    co_await WaitWhileStalled(resource);
    events.clear();
    watch.Take(kWriteBytes, events);
    if (!events.empty()) {
      if (!co_await WriteBody(request, events, resource)) co_return false;
      continue;
    }
    if (const auto ended = watch.ended()) co_return *ended == Watch::Ending::kClean;
    if (Now() >= watch.deadline()) co_return true;
    wake_.expires_at(watch.deadline());
    co_await wake_.async_wait(kTuple);
  }
  co_return false;
}

net::awaitable<bool> Connection::WriteBody(const Request& request, std::string_view bytes,
                                           const std::string& resource) {
  std::string framed;
  framed.reserve(bytes.size() + 24);
  if (request.head.minor_version == 1) {
    char head[18];
    framed.assign(head, http::WriteChunkHead(bytes.size(), head));
    framed += bytes;
    framed += "\r\n";
  } else {
    framed = bytes;
  }
  if (!context_->faults.TakeCut(resource)) co_return co_await Write(framed);
  framed.resize(framed.size() / 2);
  co_await Write(framed);
  Close();
  co_return false;
}

net::awaitable<bool> Connection::Write(std::string_view bytes) {
  SetDeadline(kWriteTime);
  const auto [error, size] =
      co_await net::async_write(stream_, net::buffer(bytes.data(), bytes.size()), kTuple);
  context_->counters.sent_bytes += size;
  deadline_.cancel();
  co_return !error;
}

net::awaitable<bool> Connection::WaitForRevision(Revision revision) {
  const TimePoint end = Now() + kFreshnessWait;
  while (context_->store.revision() < revision && Now() < end)
    co_await Sleep(Now() + kFreshnessPoll);
  co_return context_->store.revision() >= revision;
}

net::awaitable<void> Connection::WaitWhileStalled(const std::string& resource) {
  while (!gone_ && context_->faults.ResumeAt(resource) > Now()) {
    const TimePoint step =
        Now() + std::chrono::milliseconds(50);  // Faults may be cleared meanwhile.
    co_await Sleep(std::min(step, context_->faults.ResumeAt(resource)));
  }
}

net::awaitable<void> Connection::Sleep(TimePoint until) {
  net::steady_timer timer(stream_.get_executor());
  timer.expires_at(until);
  co_await timer.async_wait(kTuple);
}

void Connection::ReadAhead() {
  if (reading_ahead_) return;
  reading_ahead_ = true;
  stream_.async_read_some(input_.prepare(4096), [self = shared_from_this()](
                                                    boost::system::error_code error, size_t size) {
    self->reading_ahead_ = false;
    if (error) {
      self->gone_ = true;
    } else {
      self->input_.commit(size);
    }
    self->wake_.cancel();
  });
}

void Connection::SetDeadline(Duration after) {
  deadline_.expires_after(after);
  deadline_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (!error && self != nullptr) self->Close();
  });
}

void Connection::Close() {
  gone_ = true;
  deadline_.cancel();
  wake_.cancel();
  boost::system::error_code ignored;
  stream_.lowest_layer().shutdown(net::ip::tcp::socket::shutdown_both, ignored);
  stream_.lowest_layer().close(ignored);
}

}  // namespace weir::sim
