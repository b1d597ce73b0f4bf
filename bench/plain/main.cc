// weir-plain: sends bytes over plain TCP, as much as it is told to and no better than send() can.
// What nothing on this machine can beat; bench/compare divides by it.
//
// A client writes lines, and gets what they ask for:
//   bulk TOTAL SIZE   TOTAL bytes, SIZE a send() at most
//   events            what is published from now on
//   publish SIZE      SIZE bytes to every connection that asked for events, one send() each
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "proxy/net/dial.h"

namespace {

constexpr size_t kMaxSend = size_t{1} << 20;
constexpr size_t kMaxLine = 256;
constexpr size_t kMaxUnsent = size_t{64} << 30;  // Only counted: no byte is kept.

struct Client {
  std::string line;
  size_t unsent = 0;
  size_t send_size = 0;
  bool events = false;
  bool blocked = false;  // Waits for room in the socket.
};

class Sender {
 public:
  Sender() : bytes_(kMaxSend, 'x'), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  // 0 on failure.
  uint16_t Listen() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, generic, length) != 0 || listen(listener_, 1024) != 0) return 0;
    if (getsockname(listener_, generic, &length) != 0) return 0;
    Watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
    return ntohs(address.sin_port);
  }

  void Run() {
    std::vector<epoll_event> events(256);
    for (;;) {
      const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < ready; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        if (event.data.fd == listener_) {
          Accept();
        } else if (clients_.contains(event.data.fd)) {
          Serve(event.data.fd, event.events);
        }
      }
    }
  }

 private:
  void Watch(int fd, uint32_t what, int operation) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    epoll_ctl(epoll_, operation, fd, &event);
  }

  void Accept() {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    weir::TuneSocket(fd);  // As Weir's own sockets are.
    clients_[fd] = Client{};
    Watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  }

  void Drop(int fd) {
    clients_.erase(fd);
    close(fd);
  }

  void Serve(int fd, uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) return Drop(fd);
    if ((events & EPOLLOUT) != 0 && !Send(fd)) return Drop(fd);
    if ((events & EPOLLIN) == 0) return;
    char data[kMaxLine];
    const ssize_t got = recv(fd, data, sizeof(data), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return Drop(fd);
    if (got < 0) return;
    Client& client = clients_[fd];
    client.line.append(data, static_cast<size_t>(got));
    for (size_t end = client.line.find('\n'); end != std::string::npos;
         end = client.line.find('\n')) {
      const std::string line = client.line.substr(0, end);
      client.line.erase(0, end + 1);
      if (!Obey(fd, client, line)) return Drop(fd);
    }
    if (client.line.size() > kMaxLine) Drop(fd);
  }

  bool Obey(int fd, Client& client, const std::string& line) {
    size_t total = 0;
    size_t size = 0;
    if (line == "events") {
      client.events = true;
      return true;
    }
    if (std::sscanf(line.c_str(), "bulk %zu %zu", &total, &size) == 2 && size > 0) {
      client.unsent = std::min(client.unsent + total, kMaxUnsent);
      client.send_size = std::min(size, kMaxSend);
      return Send(fd);
    }
    if (std::sscanf(line.c_str(), "publish %zu", &size) == 1 && size > 0 && size <= kMaxSend) {
      Publish(size);
      return true;
    }
    return false;
  }

  void Publish(size_t size) {
    std::vector<int> failed;
    for (auto& [fd, client] : clients_) {
      if (!client.events) continue;
      client.unsent += size;
      client.send_size = size;
      if (!Send(fd)) failed.push_back(fd);
    }
    for (const int fd : failed) Drop(fd);
  }

  bool Send(int fd) {
    Client& client = clients_[fd];
    while (client.unsent > 0) {
      const size_t want = std::min(client.unsent, client.send_size);
      const ssize_t sent = send(fd, bytes_.data(), want, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EAGAIN) {
        if (!client.blocked) Watch(fd, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        client.blocked = true;
        return true;
      }
      if (sent < 0 && errno != EINTR) return false;
      if (sent > 0) client.unsent -= static_cast<size_t>(sent);
    }
    if (client.blocked) Watch(fd, EPOLLIN, EPOLL_CTL_MOD);
    client.blocked = false;
    return true;
  }

  const std::string bytes_;
  const int epoll_;
  int listener_ = -1;
  std::map<int, Client> clients_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Sends bytes over plain TCP on loopback; see the head of its source.", "weir-plain");
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  Sender sender;
  const uint16_t port = sender.Listen();
  if (port == 0) {
    std::perror("weir-plain");
    return 1;
  }
  fmt::print("port {}\n", port);
  std::fflush(stdout);
  sender.Run();
}
