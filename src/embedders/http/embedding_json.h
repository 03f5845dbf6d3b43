// The OpenAI shape of embedding requests and answers, as JSON text. Pure.
//
// Request: {"model": …, "input": [text, …]}; answer: {"data": [{"index": 0, "embedding": [0.1,
// …]}]} with the data in any order. An error: {"error": {"message": …, "type": …, "code": …}}.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "freshet/result.h"

namespace freshet {

/// `dimensions` other than 0 is asked for (only some models know how to shorten their vectors).
std::string make_embedding_request(const std::string& model,
                                   std::span<const std::string_view> texts,
                                   std::size_t dimensions);

/// Reads the answer for `count` texts into `vectors` (count * width floats). Another number of
/// vectors, another dimension, and what is not a finite number are errors of kind `data`.
Status read_embeddings(std::string_view answer,
                       std::size_t count,
                       std::size_t width,
                       std::span<float> vectors);

/// The dimension of the one vector in the answer.
Result<std::size_t> read_dimension(std::string_view answer);

/// What an error answer says that is safe to show. Messages are left out: servers quote the text
/// that they refuse, and parts of keys.
struct ServerComplaint {
  std::string code;  ///< A short identifier, or empty.
  bool is_text_too_long = false;
};

ServerComplaint read_complaint(std::string_view answer);

}  // namespace freshet
