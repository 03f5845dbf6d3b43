// What befalls files: permissions, damage, full disks, other processes and kills.
#include "state/sqlite/sqlite_store.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "base/testing/scratch_directory.h"
#include "state/holder.h"
#include "state/open.h"

namespace freshet {
namespace {

Holder self() {
  return {.host = this_host_name(), .pid = getpid()};
}

mode_t mode_of(const std::string& path) {
  struct stat status{};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

ErrorKind error_of_open(const std::string& path) {
  const auto store = SqliteStore::open(path);
  if (store.ok()) return ErrorKind::internal;
  EXPECT_EQ(store.error().find("path"), path);
  EXPECT_FALSE(store.error().fix().empty());
  return store.error().kind();
}

void write_file(const std::string& path, std::size_t offset, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file << bytes;
}

// A closed state file with a position in it, so that the -wal is gone.
void make_state(const std::string& path) {
  auto store = SqliteStore::open(path);
  ASSERT_TRUE(store.ok());
  auto lease = (*store)->acquire("shop", self());
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(
      (*store)->store_position(*lease, {.destination = "lake", .position = {Lsn{77}}}).ok());
  ASSERT_TRUE((*store)->release(*lease).ok());
}

TEST(SqliteStore, FileAndDirectoriesAreForTheOwnerAlone) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("a/b/state.db");
  auto store = open_state_store("sqlite:" + path, "shop");
  ASSERT_TRUE(store.ok()) << store.error().describe();
  ASSERT_TRUE((*store)->acquire("shop", self()).ok());
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(mode_of(path + "-wal"), 0600U);
  EXPECT_EQ(mode_of(scratch.path("a")), 0700U);
  EXPECT_EQ(mode_of(scratch.path("a/b")), 0700U);
}

TEST(SqliteStore, DefaultPathFollowsXdg) {
  const char* const home = std::getenv("HOME");
  const std::string old_home = home == nullptr ? "" : home;
  setenv("XDG_STATE_HOME", "/var/state", 1);
  EXPECT_EQ(default_state_path("shop").value(), "/var/state/freshet/shop.db");
  setenv("XDG_STATE_HOME", "relative", 1);
  setenv("HOME", "/home/ada", 1);
  EXPECT_EQ(default_state_path("shop").value(), "/home/ada/.local/state/freshet/shop.db");
  unsetenv("XDG_STATE_HOME");
  setenv("HOME", old_home.c_str(), 1);
}

TEST(SqliteStore, UnknownUrlIsAConfigError) {
  for (const char* url : {"redis:x", "sqlite:", "/tmp/x"}) {
    const auto store = open_state_store(url, "shop");
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.error().kind(), ErrorKind::config);
  }
}

TEST(SqliteStore, JunkAndTornFilesAreRefused) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("state.db");
  std::ofstream(path) << "this has never been a database, and never will be\n";
  EXPECT_EQ(error_of_open(path), ErrorKind::storage);
  unlink(path.c_str());

  make_state(path);
  const auto size = static_cast<std::size_t>(std::filesystem::file_size(path));
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(size / 2)), 0);
  EXPECT_EQ(error_of_open(path), ErrorKind::storage);
}

TEST(SqliteStore, OverwrittenPageIsRefused) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("state.db");
  make_state(path);
  write_file(path, 4096, std::string(4096, '\x5a'));
  EXPECT_EQ(error_of_open(path), ErrorKind::storage);
}

TEST(SqliteStore, FlippedBitInAPositionIsNoticed) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("state.db");
  make_state(path);
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const std::size_t at = bytes.rfind("lake0/4D");
  ASSERT_NE(at, std::string::npos);
  write_file(path, at + 6, "5");
  auto store = SqliteStore::open(path);
  ASSERT_TRUE(store.ok());
  const auto stored = (*store)->load("shop");
  ASSERT_FALSE(stored.ok());
  EXPECT_EQ(stored.error().kind(), ErrorKind::storage);
  EXPECT_EQ(stored.error().find("row"), "position");
}

TEST(SqliteStore, NewerVersionAndForeignDatabasesAreRefused) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("state.db");
  auto database = Database::open(path);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE((*database)->run_script("CREATE TABLE bookmarks (url)").ok());
  EXPECT_EQ(error_of_open(path), ErrorKind::storage);
  ASSERT_TRUE((*database)->run_script("PRAGMA user_version = 99").ok());
  EXPECT_EQ(error_of_open(path), ErrorKind::storage);
}

TEST(SqliteStore, OlderVersionIsRefused) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("state.db");
  make_state(path);
  {
    auto database = Database::open(path);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)->run_script("PRAGMA user_version = 1").ok());
  }
  const auto store = SqliteStore::open(path);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().kind(), ErrorKind::storage);
  EXPECT_EQ(store.error().find("file_version"), "1");
  EXPECT_NE(store.error().message().find("older"), std::string::npos);
}

TEST(SqliteStore, UnreachablePlacesAreStorageErrors) {
  const ScratchDirectory scratch;
  std::ofstream(scratch.path("file")) << "x";
  EXPECT_EQ(error_of_open(scratch.path("file/state.db")), ErrorKind::storage);
  std::filesystem::create_directory(scratch.path("directory"));
  EXPECT_EQ(error_of_open(scratch.path("directory")), ErrorKind::storage);
}

TEST(SqliteStore, FullDiskIsNamedAndKeepsWhatWasStored) {
  const ScratchDirectory scratch;
  if (mount("tmpfs", scratch.path().c_str(), "tmpfs", 0, "size=256k") != 0) {
    GTEST_SKIP() << "mounting a tmpfs needs root";
  }
  const std::string path = scratch.path("state.db");
  {
    make_state(path);
    std::ofstream(scratch.path("ballast")) << std::string(1 << 20, 'x');
    auto store = SqliteStore::open(path);
    const Error error = [&] {
      if (!store.ok()) return store.error();
      auto lease = (*store)->acquire("shop", self());
      return lease.ok() ? Error{ErrorKind::internal, "the disk was not full"} : lease.error();
    }();
    EXPECT_EQ(error.kind(), ErrorKind::storage) << error.describe();
    EXPECT_NE(error.fix().find("free space"), std::string::npos) << error.describe();
    unlink(scratch.path("ballast").c_str());
    store = SqliteStore::open(path);
    ASSERT_TRUE(store.ok()) << store.error().describe();
    const auto stored = (*store)->load("shop");
    ASSERT_TRUE(stored.ok());
    EXPECT_EQ(stored->positions.size(), 1U);
  }
  umount(scratch.path().c_str());
}

TEST(SqliteStore, OneOfManyRacingProcessesGetsTheLease) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("state.db");
  ASSERT_TRUE(SqliteStore::open(path).ok());
  constexpr int kProcesses = 6;
  std::array<int, 2> gate{};
  ASSERT_EQ(pipe(gate.data()), 0);
  std::array<pid_t, kProcesses> children{};
  for (pid_t& child : children) {
    child = fork();
    ASSERT_GE(child, 0);
    if (child != 0) continue;
    close(gate[1]);
    char byte = 0;
    std::ignore = read(gate[0], &byte, 1);  // Returns when the parent opens the gate by closing it.
    auto store = SqliteStore::open(path);
    if (!store.ok()) _exit(2);
    auto lease = (*store)->acquire("shop", self());
    if (lease.ok()) {
      // Lives until everybody has tried: an ended holder's lease may be taken.
      while (true)
        pause();
    }
    _exit(lease.error().kind() == ErrorKind::lease_held ? 1 : 3);
  }
  close(gate[0]);
  close(gate[1]);
  for (int ended = 0; ended < kProcesses - 1; ++ended) {
    int status = 0;
    ASSERT_GT(wait(&status), 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 1);
  }
  auto store = SqliteStore::open(path);
  ASSERT_TRUE(store.ok());
  const auto holder = (*store)->load("shop")->holder;
  ASSERT_TRUE(holder);
  ASSERT_EQ(std::count(children.begin(), children.end(), holder->pid), 1);
  kill(static_cast<pid_t>(holder->pid), SIGKILL);
  EXPECT_GT(wait(nullptr), 0);
  EXPECT_TRUE((*store)->acquire("shop", self()).ok());
}

// Stores rising positions and tells each that was stored, until it is killed.
[[noreturn]] void store_positions_forever(const std::string& path, int told) {
  auto store = SqliteStore::open(path);
  if (!store.ok()) _exit(2);
  auto lease = (*store)->acquire("shop", self());
  if (!lease.ok()) _exit(3);
  std::uint64_t lsn = 0;
  const auto stored = (*store)->load("shop");
  if (!stored.ok()) _exit(6);
  if (!stored->positions.empty()) lsn = to_integer(stored->positions[0].position.end);
  while (true) {
    ++lsn;
    if (!(*store)->store_position(*lease, {.destination = "lake", .position = {Lsn{lsn}}}).ok())
      _exit(4);
    if (write(told, &lsn, sizeof lsn) != sizeof lsn) _exit(5);
  }
}

TEST(SqliteStore, TwoHundredKillsLoseNoStoredPosition) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("state.db");
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uint64_t last_told = 0;
  for (int round = 0; round < 200; ++round) {
    std::array<int, 2> told{};
    ASSERT_EQ(pipe(told.data()), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(told[0]);
      store_positions_forever(path, told[1]);
    }
    close(told[1]);
    const unsigned stores = random() % 4;
    std::uint64_t lsn = 0;
    for (unsigned i = 0; i < stores && read(told[0], &lsn, sizeof lsn) == sizeof lsn; ++i)
      last_told = lsn;
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));  // Any moment will do.
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round << " exit " << WEXITSTATUS(status);
    while (read(told[0], &lsn, sizeof lsn) == sizeof lsn)
      last_told = lsn;
    close(told[0]);
    auto store = SqliteStore::open(path);
    ASSERT_TRUE(store.ok()) << store.error().describe();
    const auto stored = (*store)->load("shop");
    ASSERT_TRUE(stored.ok()) << stored.error().describe();
    const std::uint64_t kept =
        stored->positions.empty() ? 0 : to_integer(stored->positions[0].position.end);
    ASSERT_TRUE(kept == last_told || kept == last_told + 1) << kept << " after " << last_told;
    // The next child goes on from here, even if this one died before it told.
    last_told = kept;
  }
}

}  // namespace
}  // namespace freshet
