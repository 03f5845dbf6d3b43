// The real conversations that the demo replays.
#pragma once

#include <string>
#include <vector>

#include "freshet/result.h"

namespace freshet {

struct Utterance {
  std::string text;
  std::string sent_at;  ///< ISO 8601, UTC
  std::string sender;   ///< UUID
};

struct Conversation {
  std::string id;  ///< UUID
  std::string started_at;
  std::string prompt;  ///< What the two were asked to talk about; may be empty.
  std::vector<Utterance> utterances;
  std::vector<std::string> ratings;  ///< Each one JSON object, as a person gave it afterwards.
};

/// Reads the chitchat data set's JSON file.
Result<std::vector<Conversation>> load_conversations(const std::string& path);

}  // namespace freshet
