#include "pipeline/spill_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace freshet {
namespace {

class SpillFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = std::filesystem::temp_directory_path() / "freshet-spill-test-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    directory_ = path;
  }

  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
};

TEST_F(SpillFileTest, GivesBackWhatWasAppended) {
  auto store = DiskSpillStore::open(directory_ + "/a/b");
  ASSERT_TRUE(store.ok());
  auto file = (*store)->create();
  ASSERT_TRUE(file.ok());
  const std::string large(300'000, 'x');
  EXPECT_EQ((*file)->append("hello").value(), 0U);
  EXPECT_EQ((*file)->append(large).value(), 5U);
  std::string back(large.size(), '\0');
  ASSERT_TRUE((*file)->read(5, back).ok());
  EXPECT_EQ(back, large);
  EXPECT_EQ((*file)->read(6, back).error().kind(), ErrorKind::storage);
}

TEST_F(SpillFileTest, LeavesNoNameBehindEvenWhileOpen) {
  auto store = DiskSpillStore::open(directory_);
  auto file = (*store)->create();
  ASSERT_TRUE((*file)->append("bytes").ok());
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(SpillFileTest, MakesDirectoryForThisUserOnly) {
  ASSERT_TRUE(DiskSpillStore::open(directory_ + "/spill").ok());
  struct stat status{};
  ASSERT_EQ(::stat((directory_ + "/spill").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(SpillFileTest, FileOutlivesItsStore) {
  auto store = DiskSpillStore::open(directory_);
  auto file = (*store)->create();
  store->reset();
  ASSERT_TRUE((*file)->append("kept").ok());
  std::string back(4, '\0');
  ASSERT_TRUE((*file)->read(0, back).ok());
  EXPECT_EQ(back, "kept");
}

TEST_F(SpillFileTest, SeveralThreadsReadAtOnce) {
  auto store = DiskSpillStore::open(directory_);
  auto file = (*store)->create();
  for (char letter = 'a'; letter <= 'h'; ++letter) {
    ASSERT_TRUE((*file)->append(std::string(10'000, letter)).ok());
  }
  std::vector<std::jthread> readers;
  for (std::size_t reader = 0; reader < 8; ++reader) {
    readers.emplace_back([&file, reader] {
      std::string back(10'000, '\0');
      EXPECT_TRUE((*file)->read(reader * back.size(), back).ok());
      EXPECT_EQ(back, std::string(10'000, static_cast<char>('a' + static_cast<char>(reader))));
    });
  }
}

TEST_F(SpillFileTest, RefusesDirectoryThatIsAFile) {
  const std::string path = directory_ + "/file";
  std::ofstream{path} << "x";
  const auto store = DiskSpillStore::open(path);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().kind(), ErrorKind::storage);
}

TEST_F(SpillFileTest, FailedWriteIsAStorageErrorWithAdvice) {
  auto store = DiskSpillStore::open(directory_);
  auto file = (*store)->create();
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{1000, old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto offset = (*file)->append(std::string(5000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(offset.ok());
  EXPECT_EQ(offset.error().kind(), ErrorKind::storage);
  EXPECT_FALSE(offset.error().fix().empty());
}

}  // namespace
}  // namespace freshet
