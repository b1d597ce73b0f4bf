// The admin port: plain HTTP/1.1 for probes, Prometheus and people.
//
// It has a thread of its own, so that it answers, and tells the truth, when a worker hangs.
// Plaintext and without authentication: keep it on loopback or where only probes can reach it.
//
// Bounds: 64 connections (more are closed), 8 KiB of head, no bodies, 10 seconds per request.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "protocol/base/status.h"
#include "proxy/admin/admin_pages.h"

namespace weir {

class AdminServer {
 public:
  // Listens and starts the thread. `host` is a name or an IP address; port 0 takes a free one. The
  // error names
  // --admin-bind-address, the address and the cause.
  static StatusOr<std::unique_ptr<AdminServer>> Start(const std::string& host, uint16_t port,
                                                      AdminSources sources);
  // Closes all connections and joins the thread; no source is called afterwards.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  uint16_t port() const;

 private:
  struct Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
