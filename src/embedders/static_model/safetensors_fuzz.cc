// Fuzzes the reader of safetensors files: any bytes, or a header made of the input's choices about
// which it is known whether its matrix lies in the file.
// Covers: embedders/static_model/safetensors.cc

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/testing/fuzz_input.h"
#include "base/try.h"
#include "embedders/static_model/safetensors.h"

namespace {

using freshet::testing::FuzzInput;
using Json = nlohmann::json;

std::string with_length(std::uint64_t length, std::string_view header, std::string_view data) {
  std::string file;
  for (int shift = 0; shift < 64; shift += 8)
    file.push_back(static_cast<char>(length >> shift & 0xff));
  return file.append(header).append(data);
}

/// Reads it from memory of exactly its size, and touches all of the matrix.
freshet::Result<freshet::MatrixView> read(const std::string& file, std::string& data) {
  const std::unique_ptr<char[]> copy{new char[file.size()]};
  file.copy(copy.get(), file.size());
  const std::string_view bytes{copy.get(), file.size()};
  auto matrix = freshet::find_matrix(bytes, "weight");
  if (!matrix.ok()) {
    FRESHET_CHECK(matrix.error().kind() == freshet::ErrorKind::config);
    return matrix;
  }
  FRESHET_CHECK(matrix->row_count > 0 && matrix->column_count > 0);
  FRESHET_CHECK(matrix->data.size() / matrix->row_count / matrix->column_count ==
                freshet::size_bytes(matrix->type));
  FRESHET_CHECK(matrix->data.data() >= bytes.data() &&
                matrix->data.data() + matrix->data.size() <= bytes.data() + bytes.size());
  data = matrix->data;
  return matrix;
}

void fuzz_bytes(FuzzInput& in) {
  std::string data;
  const std::uint64_t length = in.byte();
  const std::string rest{in.rest()};
  if (rest.size() % 2 == 0) {
    (void)read(rest, data);
  } else {
    (void)read(with_length(length == 255 ? rest.size() : length, rest, ""), data);
  }
}

/// Mostly a small number, sometimes one at which a product or a sum overflows.
std::uint64_t make_number(FuzzInput& in) {
  const unsigned choice = in.byte();
  if (choice < 240) return choice % 8;
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  constexpr std::uint64_t kLarge[] = {kMost, kMost / 2 + 1, kMost / 4 + 2, std::uint64_t{1} << 32};
  return kLarge[choice % 4];
}

struct Tensor {
  std::string type;
  std::uint64_t shape[2];
  std::uint64_t offsets[2];
};

Tensor make_tensor(FuzzInput& in) {
  constexpr const char* kTypes[] = {"F16", "BF16", "F32", "F32", "F64", "I8"};
  Tensor tensor{.type = kTypes[in.below(6)],
                .shape = {make_number(in), make_number(in)},
                .offsets = {make_number(in), 0}};
  // Mostly an end that fits the shape.
  const std::uint64_t cell = tensor.type == "F32" ? 4 : 2;
  const bool fits = in.below(4) != 0;
  tensor.offsets[1] =
      fits ? tensor.offsets[0] + tensor.shape[0] * tensor.shape[1] * cell : make_number(in);
  return tensor;
}

/// Whether a file with that many bytes of data holds it; in numbers that cannot overflow here.
bool is_readable(const Tensor& tensor, std::size_t data_bytes) {
  const std::size_t cell = tensor.type == "F32" ? 4 : 2;
  const bool is_float = tensor.type == "F16" || tensor.type == "BF16" || tensor.type == "F32";
  const bool is_inside = tensor.offsets[0] <= tensor.offsets[1] && tensor.offsets[1] <= data_bytes;
  if (!is_float || !is_inside || tensor.shape[0] > data_bytes || tensor.shape[1] > data_bytes) {
    return false;
  }
  const std::uint64_t bytes = tensor.shape[0] * tensor.shape[1] * cell;
  return bytes > 0 && bytes == tensor.offsets[1] - tensor.offsets[0];
}

Json to_json(const Tensor& tensor) {
  return {{"dtype", tensor.type},
          {"shape", {tensor.shape[0], tensor.shape[1]}},
          {"data_offsets", {tensor.offsets[0], tensor.offsets[1]}}};
}

/// Takes away or replaces a part of a tensor's description. True if it is still a matrix.
bool damage(FuzzInput& in, Json& tensor) {
  switch (in.below(6)) {
    case 0:
      tensor.erase("dtype");
      return true;
    case 1:
      tensor["dtype"] = 7;
      return true;
    case 2:
      tensor["data_offsets"] = {0, -1};
      return true;
    case 3:
      tensor.erase("data_offsets");
      return true;
    case 4:
      tensor["shape"] = {"1", 1};
      return true;
    default:
      tensor["shape"] = {1, 1, 1};
      return false;
  }
}

void fuzz_header(FuzzInput& in) {
  const Tensor tensor = make_tensor(in);
  Json json = to_json(tensor);
  const bool is_damaged = in.below(4) == 0;
  const bool is_matrix = !is_damaged || damage(in, json);
  const bool is_named = in.flip();
  Json header{{is_named ? "weight" : "another", json}};
  header["__metadata__"] = {{"format", "pt"}, {"shape", {1, 1}}};
  // A second matrix: then only the name tells which one is meant.
  const bool is_alone = in.flip();
  if (!is_alone) header["second"] = {{"dtype", "F16"}, {"shape", {1, 1}}, {"data_offsets", {0, 2}}};
  const std::string text = header.dump();
  std::string content(64, '\0');
  for (std::size_t i = 0; i < content.size(); ++i)
    content[i] = static_cast<char>(i);

  std::string data;
  const auto matrix = read(with_length(text.size(), text, content), data);
  const bool is_chosen = is_named ? is_matrix : is_matrix && is_alone;
  if (is_chosen) {
    FRESHET_CHECK(matrix.ok() == (!is_damaged && is_readable(tensor, content.size())));
    if (!matrix.ok()) return;
    FRESHET_CHECK(matrix->row_count == tensor.shape[0] && matrix->column_count == tensor.shape[1]);
    FRESHET_CHECK(data == content.substr(tensor.offsets[0], data.size()));
  } else {
    // The second one is the only matrix left, or there is none, or two without the name.
    FRESHET_CHECK(matrix.ok() == (!is_matrix && !is_alone));
  }
  // A length that reaches past the end, however large.
  FRESHET_CHECK(
      !read(with_length(text.size() + 65 + make_number(in) % 1000, text, content), data).ok());
  FRESHET_CHECK(!read(with_length(~std::uint64_t{0} - in.byte(), text, content), data).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput in{data, size};
  if (in.flip()) {
    fuzz_header(in);
  } else {
    fuzz_bytes(in);
  }
  return 0;
}
