#include "embedders/static_model/safetensors.h"

#include <string>

#include <gtest/gtest.h>

namespace freshet {
namespace {

std::string file_of(std::string_view header, std::size_t data_bytes) {
  std::string file(8, '\0');
  for (std::size_t at = 0; at < 8; ++at) {
    file[at] = static_cast<char>((header.size() >> (8 * at)) & 0xFF);
  }
  return file.append(header).append(std::string(data_bytes, 'x'));
}

std::string tensor(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return std::string{R"({"dtype":")"}
      .append(dtype)
      .append(R"(","shape":)")
      .append(shape)
      .append(R"(,"data_offsets":)")
      .append(offsets)
      .append("}");
}

TEST(Safetensors, FindsTheMatrixByName) {
  const std::string file =
      file_of(R"({"__metadata__":{"format":"pt"},"a":)" + tensor("F32", "[1,2]", "[0,8]") +
                  R"(,"embedding.weight":)" + tensor("F16", "[3,2]", "[8,20]") + "}  ",
              20);
  const auto matrix = find_matrix(file, "embedding.weight");
  ASSERT_TRUE(matrix.ok()) << matrix.error().describe();
  EXPECT_EQ(matrix->type, Float::f16);
  EXPECT_EQ(matrix->row_count, 3U);
  EXPECT_EQ(matrix->column_count, 2U);
  EXPECT_EQ(matrix->data.data(), file.data() + file.size() - 12);
  EXPECT_FALSE(find_matrix(file, "other").ok());
}

TEST(Safetensors, TakesTheOnlyMatrixWhateverItsName) {
  for (const char* dtype : {"F16", "BF16"}) {
    const auto matrix =
        find_matrix(file_of(R"({"t":)" + tensor(dtype, "[2,2]", "[0,8]") + "}", 8), "other");
    EXPECT_TRUE(matrix.ok()) << dtype;
  }
}

TEST(Safetensors, RefusesWhatIsMalformed) {
  const std::string good = R"({"t":)" + tensor("F32", "[2,2]", "[0,16]") + "}";
  ASSERT_TRUE(find_matrix(file_of(good, 16), "t").ok());
  for (const std::string& file :
       {std::string{},
        std::string{"1234567"},
        std::string(8, '\xFF'),
        std::string(16, '\x7F'),
        file_of("", 0),
        file_of("{", 4),
        file_of("[]", 4),
        file_of("{}", 4),
        file_of(good, 15),
        file_of(R"({"t":)" + tensor("I8", "[2,2]", "[0,4]") + "}", 16),
        file_of(R"({"t":)" + tensor("F32", "[2,2]", "[16,0]") + "}", 16),
        file_of(R"({"t":)" + tensor("F32", "[2,2]", "[0,12]") + "}", 16),
        file_of(R"({"t":)" + tensor("F32", "[0,2]", "[0,0]") + "}", 16),
        file_of(R"({"t":)" + tensor("F32", "[-2,2]", "[0,16]") + "}", 16),
        file_of(R"({"t":)" + tensor("F32", "[4294967296,4294967296]", "[0,0]") + "}", 16),
        file_of(R"({"t":)" + tensor("F32", "[2305843009213693952,8]", "[0,16]") + "}", 16),
        file_of(R"({"t":)" + tensor("F32", "[2,2]", "[0,18446744073709551615]") + "}", 16),
        file_of(R"({"t":{"shape":[2,2],"data_offsets":[0,16]}})", 16),
        file_of(R"({"t":{"dtype":"F32","shape":[2,2]}})", 16),
        file_of(R"({"t":7})", 16)}) {
    const auto matrix = find_matrix(file, "t");
    ASSERT_FALSE(matrix.ok());
    EXPECT_EQ(matrix.error().kind(), ErrorKind::config);
  }
}

TEST(Safetensors, SurvivesEveryTruncation) {
  const std::string file = file_of(R"({"t":)" + tensor("F32", "[2,2]", "[0,16]") + "}", 16);
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(find_matrix(std::string_view{file}.substr(0, size), "t").ok());
  }
}

}  // namespace
}  // namespace freshet
