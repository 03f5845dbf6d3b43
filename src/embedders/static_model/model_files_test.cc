#include "embedders/static_model/model_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "base/testing/scratch_directory.h"
#include "embedders/static_model/static_model.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;

class ModelFolder : public ::testing::Test {
 protected:
  void write(const fs::path& path, std::string_view bytes) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream{root_ / path, std::ios::binary} << bytes;
  }

  // Four rows of two floats.
  void write_model(const fs::path& folder, std::string_view vocabulary, std::string_view cells) {
    std::string header =
        R"({"embedding.weight":{"dtype":"F32","shape":[4,2],"data_offsets":[0,32]}})";
    std::string file(8, '\0');
    file[0] = static_cast<char>(header.size());
    write(folder / "model.safetensors", file + header + std::string{cells});
    write(folder / "tokenizer.json",
          R"({"model":{"type":"BPE","vocab":)" + std::string{vocabulary} + R"(,"merges":[]}})");
  }

  static std::string cells_of(std::array<float, 8> cells) {
    return {reinterpret_cast<const char*>(cells.data()), sizeof(cells)};
  }

  ScratchDirectory directory_;
  const fs::path root_{directory_.path()};
};

constexpr std::string_view kVocabulary = R"({"a":0,"b":1,"c":2,"d":3})";
constexpr std::array<float, 8> kCells{3, 4, 0, 2, -3, -4, 0, 0};

TEST_F(ModelFolder, GivesUnitVectorsAndZerosWhereThereIsNoDirection) {
  write_model("m", kVocabulary, cells_of(kCells));
  const auto model = open_static_model({.directory = (root_ / "m").string()});
  ASSERT_TRUE(model.ok()) << model.error().describe();
  EXPECT_EQ((*model)->dimensions().value(), 2U);
  // One row, rows that cancel out, a row of zeros, no known token at all, several rows.
  const std::vector<std::string_view> texts{"a", "ac", "d", "???", "bbd"};
  std::vector<float> vectors(texts.size() * 2);
  ASSERT_TRUE((*model)->embed(texts, vectors).ok());
  const std::vector<float> expected{0.6F, 0.8F, 0, 0, 0, 0, 0, 0, 0, 1};
  for (std::size_t at = 0; at < expected.size(); ++at)
    EXPECT_NEAR(vectors[at], expected[at], 1e-6F);
}

TEST_F(ModelFolder, RefusesWeightsThatDoNotFit) {
  write_model("rows", R"({"a":0,"b":4})", cells_of(kCells));
  const auto rows = open_static_model({.directory = (root_ / "rows").string()});
  ASSERT_FALSE(rows.ok());
  EXPECT_EQ(rows.error().find("rows"), "4");
  auto cells = kCells;
  cells[5] = std::numeric_limits<float>::quiet_NaN();
  write_model("nan", kVocabulary, cells_of(cells));
  EXPECT_EQ(open_static_model({.directory = (root_ / "nan").string()}).error().kind(),
            ErrorKind::config);
  write_model("empty", kVocabulary, cells_of(kCells));
  write("empty/model.safetensors", "");
  EXPECT_FALSE(open_static_model({.directory = (root_ / "empty").string()}).ok());
}

TEST_F(ModelFolder, IsFoundByNameInItsPlaces) {
  const std::pair<const char*, ModelEnvironment> places[] = {
      {"folder/tiny", {.freshet_model_dir = (root_ / "folder").string()}},
      {"itself", {.freshet_model_dir = (root_ / "itself").string()}},
      {"data/freshet/models/tiny", {.xdg_data_home = (root_ / "data").string()}},
      {"home/.local/share/freshet/models/tiny", {.home = (root_ / "home").string()}},
  };
  for (const auto& [folder, environment] : places) {
    EXPECT_FALSE(find_model("tiny", environment).ok()) << folder;
    write_model(folder, kVocabulary, cells_of(kCells));
    const auto found = find_model("tiny", environment);
    ASSERT_TRUE(found.ok()) << folder;
    EXPECT_EQ(found->weights, (root_ / folder / "model.safetensors").string());
  }
}

TEST_F(ModelFolder, IsFoundInTheVenvOfThePackage) {
  const fs::path package = "venv/lib/python3.11/site-packages/wordllama";
  write(package / "weights/l2_supercat_256.safetensors", "x");
  write(package / "tokenizers/l2_supercat_tokenizer_config.json", "x");
  EXPECT_TRUE(find_model("wordllama-256", {.virtual_env = (root_ / "venv").string()}).ok());
  EXPECT_FALSE(find_model("other", {.virtual_env = (root_ / "venv").string()}).ok());
}

TEST_F(ModelFolder, NamesAllPlacesLookedAtAndHowToGetTheModel) {
  const auto found =
      find_model("wordllama-256", {.freshet_model_dir = "/nowhere", .home = "/home/x"});
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind(), ErrorKind::config);
  const std::string_view places = found.error().find("looked_at");
  for (const char* place :
       {"/nowhere/wordllama-256", "/home/x/.local/share/freshet/models/wordllama-256",
        "/usr/share/freshet/models/wordllama-256"}) {
    EXPECT_NE(places.find(place), std::string_view::npos) << place;
  }
  EXPECT_NE(found.error().fix().find("wordllama"), std::string::npos);
  EXPECT_FALSE(find_model("../etc", {}).ok());
}

}  // namespace
}  // namespace freshet
