#include "embedders/http/embedding_json.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/try.h"

namespace freshet {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kCodeBytesMax = 64;
constexpr std::size_t kDimensionMax = 1U << 16;

Error not_an_answer(std::string_view reason) {
  return Error{ErrorKind::protocol, "embedding server's answer is not of the expected shape"}.with(
      "reason", reason);
}

Error not_finite() {
  return Error{ErrorKind::data, "embedding server returned a vector with NaN, infinity or null"};
}

// NaN and Infinity are no JSON, but some servers write them.
bool has_non_finite_literal(std::string_view answer) {
  return answer.find("NaN") != std::string_view::npos ||
         answer.find("Infinity") != std::string_view::npos;
}

Result<Json> parse_answer(std::string_view answer) {
  Json json = Json::parse(answer.begin(), answer.end(), nullptr, false);
  if (json.is_discarded()) {
    if (has_non_finite_literal(answer)) return not_finite();
    return not_an_answer("not JSON");
  }
  const auto data = json.is_object() ? json.find("data") : json.end();
  if (!json.is_object() || data == json.end() || !data->is_array()) {
    return not_an_answer("no array `data`");
  }
  return Json(std::move(*data));
}

Result<const Json*> vector_of(const Json& item) {
  const auto found = item.is_object() ? item.find("embedding") : item.end();
  if (!item.is_object() || found == item.end() || !found->is_array()) {
    return not_an_answer("an item of `data` has no array `embedding`");
  }
  return &*found;
}

Status read_vector(const Json& embedding, std::span<float> out) {
  if (embedding.size() != out.size()) {
    return Error{ErrorKind::data, "embedding server returned a vector of another dimension"}
        .with("expected", out.size())
        .with("got", embedding.size());
  }
  for (std::size_t at = 0; at < out.size(); ++at) {
    if (!embedding[at].is_number()) {
      if (embedding[at].is_null()) return not_finite();
      return not_an_answer("a vector holds what is not a number");
    }
    const double value = embedding[at].get<double>();
    if (!(std::abs(value) <= double{std::numeric_limits<float>::max()})) return not_finite();
    out[at] = static_cast<float>(value);
  }
  return ok_status();
}

Status read_items(const Json& data,
                  std::size_t count,
                  std::size_t width,
                  std::span<float> vectors) {
  if (data.size() != count) {
    return Error{ErrorKind::data, "embedding server returned another number of vectors"}
        .with("expected", count)
        .with("got", data.size());
  }
  std::vector<bool> is_filled(count, false);
  for (std::size_t at = 0; at < count; ++at) {
    FRESHET_TRY(const Json* embedding, vector_of(data[at]));
    std::size_t index = at;
    if (const auto given = data[at].find("index"); given != data[at].end()) {
      if (!given->is_number_unsigned()) return not_an_answer("an index is not a number");
      index = given->get<std::size_t>();
    }
    if (index >= count || is_filled[index])
      return not_an_answer("an index is not one of the texts");
    is_filled[index] = true;
    FRESHET_TRY(read_vector(*embedding, vectors.subspan(index * width, width)));
  }
  return ok_status();
}

// A code is shown as it is only if it looks like one: servers are not trusted with our log.
std::string identifier_in(const Json& error, const char* key) {
  const auto found = error.find(key);
  if (found == error.end() || !found->is_string()) return {};
  const std::string text = found->get<std::string>();
  const bool is_identifier = std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  });
  return is_identifier && text.size() <= kCodeBytesMax ? text : std::string{};
}

bool speaks_of_length(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* sign : {"context_length", "context length", "maximum length", "too long",
                           "too many tokens", "max_length", "token limit", "too large"}) {
    if (text.find(sign) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::string make_embedding_request(const std::string& model,
                                   std::span<const std::string_view> texts,
                                   std::size_t dimensions) {
  Json request{{"model", model}, {"input", Json::array()}};
  for (const std::string_view text : texts)
    request["input"].emplace_back(text);
  if (dimensions != 0) request["dimensions"] = dimensions;
  return request.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Status read_embeddings(std::string_view answer,
                       std::size_t count,
                       std::size_t width,
                       std::span<float> vectors) {
  try {
    FRESHET_TRY(const Json data, parse_answer(answer));
    return read_items(data, count, width, vectors);
  } catch (const std::exception& failure) {
    return not_an_answer(failure.what());
  }
}

Result<std::size_t> read_dimension(std::string_view answer) {
  try {
    FRESHET_TRY(const Json data, parse_answer(answer));
    if (data.size() != 1) {
      return Error{ErrorKind::data, "embedding server returned another number of vectors"}
          .with("expected", 1)
          .with("got", data.size());
    }
    FRESHET_TRY(const Json* embedding, vector_of(data[0]));
    if (embedding->empty() || embedding->size() > kDimensionMax) {
      return not_an_answer("the vector is empty or too long");
    }
    return embedding->size();
  } catch (const std::exception& failure) {
    return not_an_answer(failure.what());
  }
}

ServerComplaint read_complaint(std::string_view answer) {
  ServerComplaint complaint;
  try {
    const Json json = Json::parse(answer.begin(), answer.end(), nullptr, false);
    complaint.is_text_too_long = speaks_of_length(std::string{answer.substr(0, 4096)});
    if (!json.is_object()) return complaint;
    const auto error = json.find("error");
    const Json& detail = error != json.end() && error->is_object() ? *error : json;
    complaint.code = identifier_in(detail, "code");
    if (complaint.code.empty()) complaint.code = identifier_in(detail, "type");
  } catch (const std::exception&) {
    // A complaint that cannot be read is an empty one: the HTTP status decides.
  }
  return complaint;
}

}  // namespace freshet
