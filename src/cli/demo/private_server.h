// A PostgreSQL server of the demo's own, gone when the demo ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "freshet/result.h"

namespace freshet {

/// A directory that is removed, with all in it, on destruction. Readable by every user, since the
/// servers do not run as root.
class ScratchDirectory {
 public:
  static Result<std::unique_ptr<ScratchDirectory>> make();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const noexcept { return path_; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

/// True if nobody listens on the loopback port.
bool is_port_free(std::uint16_t port);
/// A port that is free now; 0 if none can be had.
std::uint16_t find_free_port();

class PrivateServer {
 public:
  struct Options {
    std::string name;  ///< "source": in messages, and its folder's name.
    std::string postgres_dir;
    std::string parent_dir;  ///< Where its folder is made.
    std::string user;        ///< Runs it when we are root; empty: "nobody".
    std::string password;    ///< Of the superuser `postgres`.
    std::uint16_t port = 0;
  };

  /// Makes a cluster, starts it on loopback and waits until it answers.
  static Result<std::unique_ptr<PrivateServer>> start(const Options& options);
  ~PrivateServer();
  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;

  /// Without a password: that comes from PGPASSFILE.
  std::string url() const;

  std::uint16_t port() const noexcept { return port_; }

  void stop();

 private:
  PrivateServer(pid_t pid, std::uint16_t port) : pid_(pid), port_(port) {}

  pid_t pid_;
  std::uint16_t port_;
};

}  // namespace freshet
