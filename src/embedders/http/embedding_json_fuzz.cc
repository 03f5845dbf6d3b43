// Fuzzes what an embedding server answers. The first byte chooses:
//   0   any bytes as an answer
//   1   an answer made of the input's choices, whose vectors and faults are known
//   2   a request made of any texts, which must be JSON that holds them
// Covers: embedders/http/embedding_json.cc

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/testing/fuzz_input.h"
#include "base/try.h"
#include "embedders/http/embedding_json.h"

namespace {

using freshet::ErrorKind;
using freshet::testing::FuzzInput;
using Json = nlohmann::json;

constexpr float kUntouched = -7.5F;

void check_error(const freshet::Error& error) {
  FRESHET_CHECK(error.kind() == ErrorKind::protocol || error.kind() == ErrorKind::data);
}

void check_complaint(std::string_view answer) {
  const freshet::ServerComplaint complaint = freshet::read_complaint(answer);
  FRESHET_CHECK(complaint.code.size() <= 64);
  // What goes into the log is an identifier, whatever the server says.
  for (const char c : complaint.code) {
    FRESHET_CHECK(
        std::string_view{"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."}.find(
            c) != std::string_view::npos);
  }
}

/// Any bytes: what is accepted are finite numbers, one vector for each text.
void fuzz_bytes(FuzzInput& in) {
  const std::size_t count = in.below(4);
  const std::size_t width = 1 + in.below(4);
  const std::string answer{in.rest()};
  std::vector<float> vectors(count * width, std::numeric_limits<float>::quiet_NaN());
  const freshet::Status status = freshet::read_embeddings(answer, count, width, vectors);
  if (status.ok()) {
    for (const float value : vectors)
      FRESHET_CHECK(std::isfinite(value));
  } else {
    check_error(status.error());
  }
  const auto dimension = freshet::read_dimension(answer);
  if (!dimension.ok()) check_error(dimension.error());
  if (dimension.ok()) FRESHET_CHECK(*dimension > 0 && *dimension <= 65536);
  if (count == 1 && status.ok()) FRESHET_CHECK(dimension.ok() && *dimension == width);
  check_complaint(answer);
}

/// An answer with at most one fault, and what must be read from it.
struct Answer {
  Json data = Json::array();
  std::vector<float> vectors;
  std::optional<ErrorKind> fault;
};

Answer make_answer(FuzzInput& in, std::size_t count, std::size_t width) {
  Answer answer;
  answer.vectors.resize(count * width, kUntouched);
  const bool has_indexes = in.flip();
  const std::size_t turn = in.byte();
  for (std::size_t at = 0; at < count; ++at) {
    const std::size_t index = has_indexes ? (at + turn) % count : at;
    Json embedding = Json::array();
    for (std::size_t column = 0; column < width; ++column) {
      const float value = static_cast<float>(static_cast<std::int64_t>(in.integer())) / 1e9F;
      embedding.push_back(value);
      answer.vectors[index * width + column] = value;
    }
    Json item{{"object", "embedding"}, {"embedding", std::move(embedding)}};
    if (has_indexes) item["index"] = index;
    answer.data.push_back(std::move(item));
  }
  return answer;
}

void add_fault(FuzzInput& in, Answer& answer) {
  Json& data = answer.data;
  Json& item = data[in.below(data.size())];
  Json& embedding = item["embedding"];
  const unsigned place = in.below(embedding.size());
  answer.fault = ErrorKind::protocol;
  switch (in.below(9)) {
    case 0:
      item["index"] = data.size();
      break;
    case 1:
      item["index"] = -1;
      break;
    case 2:
      item.erase("embedding");
      break;
    case 3:
      embedding[place] = "1.0";
      break;
    case 4:
      embedding[place] = nullptr;
      answer.fault = ErrorKind::data;
      break;
    case 5:
      embedding[place] = 1e39;
      answer.fault = ErrorKind::data;
      break;
    case 6:
      embedding.push_back(0);
      answer.fault = ErrorKind::data;
      break;
    case 7:
      data.push_back(data[0]);
      answer.fault = ErrorKind::data;
      break;
    default:
      item = Json::array({"not", "an", "object"});
  }
}

void fuzz_answer(FuzzInput& in) {
  const std::size_t count = 1 + in.below(4);
  const std::size_t width = 1 + in.below(4);
  Answer answer = make_answer(in, count, width);
  if (in.flip()) add_fault(in, answer);
  const std::string text = Json{{"object", "list"}, {"data", answer.data}}.dump();
  std::vector<float> vectors(count * width, kUntouched);
  const freshet::Status status = freshet::read_embeddings(text, count, width, vectors);
  FRESHET_CHECK(status.ok() == !answer.fault);
  if (status.ok()) FRESHET_CHECK(vectors == answer.vectors);
  if (!status.ok()) FRESHET_CHECK(status.error().kind() == *answer.fault);
  const auto dimension = freshet::read_dimension(text);
  if (!answer.fault) FRESHET_CHECK(dimension.ok() == (count == 1));
  if (dimension.ok()) FRESHET_CHECK(*dimension >= width);
  // Servers that write what is no JSON are told from those that answer something else.
  const std::string strange =
      R"({"data": [{"embedding": [)" + std::string(in.flip() ? "NaN" : "-Infinity") + "]}]}";
  const freshet::Status refused = freshet::read_embeddings(strange, count, width, vectors);
  FRESHET_CHECK(!refused.ok() && refused.error().kind() == ErrorKind::data);
  FRESHET_CHECK(!freshet::read_dimension(R"({"data": [{"embedding": []}]})").ok());
  check_complaint(
      Json{{"error", {{"code", std::string{in.take(in.below(80))}}, {"type", "t"}}}}.dump(
          -1, ' ', false, Json::error_handler_t::replace));
}

void fuzz_request(FuzzInput& in) {
  const std::size_t dimensions = in.below(3);
  const std::string model{in.take(in.below(16))};
  std::vector<std::string> texts(in.below(4));
  for (std::string& text : texts)
    text = in.take(in.byte());
  const std::vector<std::string_view> views{texts.begin(), texts.end()};
  const Json request = Json::parse(freshet::make_embedding_request(model, views, dimensions));
  FRESHET_CHECK(request.at("input").size() == texts.size() && request.at("model").is_string());
  FRESHET_CHECK(request.contains("dimensions") == (dimensions != 0));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string sent = request.at("input")[i].get<std::string>();
    // Text that is no UTF-8 is sent with replacement characters.
    const bool is_whole = sent.find("\xEF\xBF\xBD") == std::string::npos;
    FRESHET_CHECK(!is_whole || sent == texts[i]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput in{data, size};
  switch (in.below(3)) {
    case 0:
      fuzz_bytes(in);
      break;
    case 1:
      fuzz_answer(in);
      break;
    default:
      fuzz_request(in);
  }
  return 0;
}
