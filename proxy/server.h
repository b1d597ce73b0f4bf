// The process: all parts put together, started and ended in order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "protocol/base/status.h"
#include "proxy/config/config.h"
#include "proxy/config/kubeconfig.h"

namespace weir {

// What is read again while the process runs; some may be empty.
std::vector<std::string> FilesOf(const Config& config, const UpstreamConfig& upstream);

class Server {
 public:
  // Listens and serves on return. InvalidArgument: a file or an option; Unavailable: an address in
  // use.
  static StatusOr<std::unique_ptr<Server>> Start(const Config& config,
                                                 const UpstreamConfig& upstream);
  ~Server();

  // Re-reads the CA bundle, the serving certificate and the credentials towards the API server; the
  // old ones stay on error.
  void Reload();
  // Of a configuration that was read anew, what may change takes effect; the log says what does,
  // and what waits for a restart.
  void TakeUp(const Config& read);

  // /readyz fails from now on; everything is still served.
  void BeginShutdown();
  // Accepts nothing more, ends watches at a frame, lets requests finish for at most
  // --shutdown-timeout, then stops.
  void Drain();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
