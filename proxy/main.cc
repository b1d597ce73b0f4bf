// Starts the process and waits: SIGTERM and SIGINT end it, a second one at once; on SIGHUP, when a
// file changes and once a minute the files are read again.
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <string>

#include "protocol/base/log.h"
#include "proxy/config/config.h"
#include "proxy/config/file_watcher.h"
#include "proxy/config/kubeconfig.h"
#include "proxy/server.h"

namespace weir {
namespace {

constexpr int kBadConfiguration = 2;
constexpr std::chrono::seconds kReload{60};
// After the first change of a file, since a rotation touches several.
constexpr std::chrono::milliseconds kSettle{200};

int Refuse(const Status& status) {
  const std::string line = "weir: " + std::string(Message(status)) + "\n";
  std::fputs(line.c_str(), stderr);
  return kBadConfiguration;
}

void PrepareProcess() {
  std::signal(SIGPIPE, SIG_IGN);
  // Objects, tokens and keys are in this memory: no core dump, whatever the machine's core_pattern
  // does with one, and no debugger of another process.
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

// The next of the signals that this thread alone receives; 0 when the files are to be read again.
int WaitForSignal(int signals, FileWatcher& files) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point until = Clock::now() + kReload;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    pollfd ready[] = {{signals, POLLIN, 0}, {files.fd(), POLLIN, 0}};
    if (left.count() <= 0 || poll(ready, 2, static_cast<int>(left.count())) == 0) return 0;
    signalfd_siginfo info{};
    if (ready[0].revents != 0 && read(signals, &info, sizeof info) == sizeof info)
      return static_cast<int>(info.ssi_signo);
    if (ready[1].revents != 0 && files.Take()) until = std::min(until, Clock::now() + kSettle);
  }
}

void TakeUp(const StatusOr<Config>& read, Server& server) {
  if (read.ok()) return server.TakeUp(*read);
  Log(LogLevel::kError, "Keeping the configuration that is in use",
      {{"err", Message(read.status())}});
}

int Run(int argc, char** argv) {
  PrepareProcess();  // Before any key is read.
  const StatusOr<Config> config = LoadConfig(argc, argv);
  if (!config.ok()) return Refuse(config.status());
  if (!config->print_and_exit.empty()) {
    std::fputs(config->print_and_exit.c_str(), stdout);
    return 0;
  }
  const StatusOr<UpstreamConfig> upstream =
      LoadUpstream(config->kubeconfig, config->upstream_server);
  if (!upstream.ok()) return Refuse(upstream.status());
  ConfigureLog(config->logging_format, config->v);

  // Before any thread starts, so that all inherit it.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int arrived = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (arrived < 0) return Refuse(Internal("no file descriptor for signals"));
  // Before the files are read.
  FileWatcher files(FilesOf(*config, *upstream));

  StatusOr<std::unique_ptr<Server>> server = Server::Start(*config, *upstream);
  if (!server.ok()) return Refuse(server.status());
  if (config->v >= 1) {
    for (const std::string& option : config->Effective())
      Log(LogLevel::kInfo, "FLAG", {{"flag", option}});
  }
  int signal = 0;
  while (signal != SIGTERM && signal != SIGINT) {
    signal = WaitForSignal(arrived, files);
    if (signal != 0 && signal != SIGHUP) continue;
    if (!config->config.empty()) TakeUp(LoadConfig(argc, argv), **server);
    (*server)->Reload();
  }
  Log(LogLevel::kInfo, "Shutting down", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  (*server)->BeginShutdown();
  close(arrived);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  std::signal(SIGTERM, [](int) { _exit(1); });
  std::signal(SIGINT, [](int) { _exit(1); });
  const timespec delay{
      std::chrono::duration_cast<std::chrono::seconds>(config->shutdown_delay_duration).count(), 0};
  nanosleep(&delay, nullptr);
  (*server)->Drain();
  server->reset();
  Log(LogLevel::kInfo, "Stopped");
  return 0;
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  try {
    return weir::Run(argc, argv);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "weir: %s\n", failure.what());
    return 1;
  }
}
