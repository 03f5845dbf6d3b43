#include "cli/demo/private_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/try.h"
#include "pg/connection.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kStartTimeout{60};
constexpr std::chrono::seconds kStopTimeout{20};

struct Account {
  bool is_other = false;
  uid_t uid = 0;
  gid_t gid = 0;
};

Error system_error(std::string what) {
  return Error{ErrorKind::storage, std::move(what)}.with("reason", std::strerror(errno));
}

// Servers refuse to run as root.
Result<Account> find_account(const std::string& name) {
  if (::geteuid() != 0) return Account{};
  const std::string wanted = name.empty() ? "nobody" : name;
  const passwd* entry = ::getpwnam(wanted.c_str());
  if (entry == nullptr) {
    return Error{ErrorKind::config, "there is no such user to run the demo's servers"}
        .with("user", wanted)
        .fix("name one with --server-user");
  }
  return Account{.is_other = true, .uid = entry->pw_uid, .gid = entry->pw_gid};
}

Result<pid_t> spawn(const std::vector<std::string>& arguments,
                    const Account& account,
                    const std::string& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("cannot start a process");
  if (pid > 0) return pid;
  // A group of its own: Ctrl-C on the terminal is for the demo, which then stops its servers.
  ::setpgid(0, 0);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  if (out >= 0) {
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
  }
  if (::chdir("/") != 0) ::_exit(126);
  const auto becomes_other = [&] {
    return ::setgroups(0, nullptr) == 0 && ::setgid(account.gid) == 0 && ::setuid(account.uid) == 0;
  };
  if (account.is_other && !becomes_other()) ::_exit(126);
  // Whatever happens to the demo, its servers must not stay behind.
  ::prctl(PR_SET_PDEATHSIG, SIGINT);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  ::setenv("LC_ALL", "C.UTF-8", 1);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

std::string tail_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::string last;
  while (std::getline(file, line)) {
    if (!line.empty()) last = line;
  }
  return last;
}

Status run_to_end(const std::vector<std::string>& arguments,
                  const Account& account,
                  const std::string& log) {
  FRESHET_TRY(const pid_t pid, spawn(arguments, account, log));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return ok_status();
  return Error{ErrorKind::setting, "a program of the demo's server failed"}
      .with("program", arguments.front())
      .with("last_line", tail_of(log));
}

Status own(const std::string& path, const Account& account) {
  if (!account.is_other) return ok_status();
  if (::chown(path.c_str(), account.uid, account.gid) != 0)
    return system_error("cannot give a folder to the server's user");
  return ok_status();
}

Status write_password(const std::string& path,
                      const std::string& password,
                      const Account& account) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return system_error("cannot write the server's password file");
  const bool is_written =
      ::write(file, password.data(), password.size()) == static_cast<ssize_t>(password.size());
  ::close(file);
  if (!is_written) return system_error("cannot write the server's password file");
  return own(path, account);
}

std::vector<std::string> server_arguments(const std::string& postgres,
                                          const std::string& directory,
                                          std::uint16_t port) {
  std::vector<std::string> arguments{postgres, "-D", directory + "/data", "-p",
                                     std::to_string(port)};
  for (const char* setting :
       {"listen_addresses=127.0.0.1", "wal_level=logical", "max_replication_slots=10",
        "max_wal_senders=10", "track_commit_timestamp=on", "shared_buffers=128MB",
        "max_wal_size=4GB", "jit=off", "timezone=UTC"}) {
    arguments.insert(arguments.end(), {"-c", setting});
  }
  arguments.insert(arguments.end(), {"-c", "unix_socket_directories=" + directory});
  return arguments;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

Result<std::unique_ptr<ScratchDirectory>> ScratchDirectory::make() {
  const char* parent = std::getenv("TMPDIR");
  std::string path =
      std::string(parent == nullptr || ::geteuid() == 0 ? "/tmp" : parent) + "/freshet-demo-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return system_error("cannot make a folder for the demo");
  ::chmod(path.c_str(), 0755);
  return std::unique_ptr<ScratchDirectory>(new ScratchDirectory(std::move(path)));
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

bool is_port_free(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in address = loopback(port);
  const bool is_free =
      ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return is_free;
}

std::uint16_t find_free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return 0;
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  std::uint16_t port = 0;
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  ::close(socket);
  return port;
}

Result<std::unique_ptr<PrivateServer>> PrivateServer::start(const Options& options) {
  FRESHET_TRY(const Account account, find_account(options.user));
  const std::string postgres = options.postgres_dir + "/bin/postgres";
  if (!fs::exists(postgres)) {
    return Error{ErrorKind::config, "there is no PostgreSQL server where the demo looks for one"}
        .with("path", postgres)
        .fix("run `./dev demo`, which installs one, or name its folder with --postgres-dir");
  }
  const std::string directory = options.parent_dir + "/" + options.name;
  if (::mkdir(directory.c_str(), 0755) != 0) return system_error("cannot make the server's folder");
  FRESHET_TRY(own(directory, account));
  const std::string password_file = directory + "/password";
  FRESHET_TRY(write_password(password_file, options.password, account));
  const std::string log = directory + "/server.log";
  std::ofstream(log).close();
  FRESHET_TRY(own(log, account));
  FRESHET_TRY(run_to_end({options.postgres_dir + "/bin/initdb", "-D", directory + "/data", "-U",
                          "postgres", "-A", "scram-sha-256", "--pwfile", password_file,
                          "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"},
                         account, log));
  FRESHET_TRY(const pid_t pid,
              spawn(server_arguments(postgres, directory, options.port), account, log));
  auto server = std::unique_ptr<PrivateServer>(new PrivateServer(pid, options.port));
  const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
  while (true) {
    auto connection =
        pg::Connection::open({.url = server->url(), .application_name = "freshet demo"});
    if (connection.ok()) return server;
    int status = 0;
    const bool has_ended = ::waitpid(pid, &status, WNOHANG) == pid;
    if (has_ended) server->pid_ = -1;
    if (has_ended || std::chrono::steady_clock::now() > deadline) {
      return Error{ErrorKind::setting, "the demo's server did not start"}
          .with("server", options.name)
          .with("last_line", tail_of(log));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

std::string PrivateServer::url() const {
  return fmt::format("postgresql://postgres@127.0.0.1:{}/postgres", port_);
}

void PrivateServer::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGINT);  // fast shutdown
  const auto deadline = std::chrono::steady_clock::now() + kStopTimeout;
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(pid_, SIGQUIT);
      ::waitpid(pid_, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  pid_ = -1;
}

PrivateServer::~PrivateServer() {
  stop();
}

}  // namespace freshet
