#include "embedders/static_model/safetensors.h"

#include <array>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "base/try.h"

namespace freshet {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kHeaderBytesMax = 100'000'000;  // The format's own limit.

Error malformed(std::string_view reason) {
  return Error{ErrorKind::config, "safetensors file is malformed"}.with("reason", reason);
}

std::optional<Float> float_named(const std::string& name) {
  if (name == "F16") return Float::f16;
  if (name == "BF16") return Float::bf16;
  if (name == "F32") return Float::f32;
  return std::nullopt;
}

Result<std::array<std::uint64_t, 2>> read_pair(const Json& tensor, const char* key) {
  const auto found = tensor.find(key);
  if (found == tensor.end() || !found->is_array() || found->size() != 2 ||
      !(*found)[0].is_number_unsigned() || !(*found)[1].is_number_unsigned()) {
    return malformed(std::string{key} + " is not a pair of numbers");
  }
  return std::array{(*found)[0].get<std::uint64_t>(), (*found)[1].get<std::uint64_t>()};
}

Result<MatrixView> read_matrix(const Json& tensor, std::string_view data) {
  const auto dtype = tensor.find("dtype");
  if (dtype == tensor.end() || !dtype->is_string()) return malformed("tensor without dtype");
  const std::string type_name = dtype->get<std::string>();
  const std::optional<Float> type = float_named(type_name);
  if (!type) {
    return Error{ErrorKind::config, "tensor type is not supported; F16, BF16 and F32 are"}.with(
        "dtype", type_name);
  }
  FRESHET_TRY(const auto shape, read_pair(tensor, "shape"));
  FRESHET_TRY(const auto offsets, read_pair(tensor, "data_offsets"));
  if (offsets[0] > offsets[1] || offsets[1] > data.size()) {
    return malformed("tensor lies outside the file");
  }
  const std::uint64_t bytes = offsets[1] - offsets[0];
  const std::uint64_t cells = bytes / size_bytes(*type);
  if (shape[0] == 0 || shape[1] == 0 || shape[0] > cells || cells / shape[0] != shape[1] ||
      shape[0] * shape[1] * size_bytes(*type) != bytes) {
    return malformed("tensor's size does not fit its shape");
  }
  return MatrixView{.type = *type,
                    .row_count = shape[0],
                    .column_count = shape[1],
                    .data = data.substr(offsets[0], bytes)};
}

bool is_matrix(const Json& tensor) {
  return tensor.is_object() && tensor.contains("shape") && tensor["shape"].is_array() &&
         tensor["shape"].size() == 2;
}

Result<MatrixView> find_in_header(const Json& header,
                                  std::string_view name,
                                  std::string_view data) {
  if (!header.is_object()) return malformed("header is not a JSON object");
  const auto named = header.find(std::string{name});
  if (named != header.end() && is_matrix(*named)) return read_matrix(*named, data);
  const Json* only = nullptr;
  for (const auto& [key, tensor] : header.items()) {
    if (key == "__metadata__" || !is_matrix(tensor)) continue;
    if (only != nullptr) {
      return Error{ErrorKind::config, "safetensors file has several matrices and none of this name"}
          .with("name", name);
    }
    only = &tensor;
  }
  if (only == nullptr) return Error{ErrorKind::config, "safetensors file holds no matrix"};
  return read_matrix(*only, data);
}

}  // namespace

Result<MatrixView> find_matrix(std::string_view file, std::string_view name) {
  if (file.size() < kLengthBytes) return malformed("shorter than its length field");
  std::uint64_t length = 0;
  for (std::size_t at = kLengthBytes; at-- > 0;) {
    length = (length << 8) | static_cast<unsigned char>(file[at]);
  }
  if (length > kHeaderBytesMax || length > file.size() - kLengthBytes) {
    return malformed("header reaches past the end of the file");
  }
  const std::string_view text = file.substr(kLengthBytes, length);
  const std::string_view data = file.substr(kLengthBytes + length);
  try {
    const Json header = Json::parse(text.begin(), text.end(), nullptr, false);
    if (header.is_discarded()) return malformed("header is not JSON");
    return find_in_header(header, name, data);
  } catch (const std::exception& failure) {
    return malformed(failure.what());
  }
}

}  // namespace freshet
