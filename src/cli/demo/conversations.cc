#include "cli/demo/conversations.h"

#include <fstream>

#include <nlohmann/json.hpp>

namespace freshet {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

Conversation convert(const std::string& id, const json& source) {
  Conversation conversation{.id = id,
                            .started_at = text_of(source, "start"),
                            .prompt = text_of(source, "prompt"),
                            .utterances = {},
                            .ratings = {}};
  for (const json& turn : source.at("messages")) {
    for (const json& said : turn) {
      conversation.utterances.push_back({.text = text_of(said, "text"),
                                         .sent_at = text_of(said, "timestamp"),
                                         .sender = text_of(said, "sender")});
    }
  }
  if (const auto ratings = source.find("ratings"); ratings != source.end()) {
    for (const auto& [rater, rating] : ratings->items()) {
      conversation.ratings.push_back(json{{"rater", rater}, {"rating", rating}}.dump());
    }
  }
  return conversation;
}

}  // namespace

Result<std::vector<Conversation>> load_conversations(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{ErrorKind::config, "the demo's conversations are missing"}
        .with("path", path)
        .fix("run `./dev demo`, which installs them, or name the file with --data");
  }
  try {
    std::vector<Conversation> conversations;
    const json source = json::parse(file);
    for (const auto& [id, conversation] : source.items())
      conversations.push_back(convert(id, conversation));
    return conversations;
  } catch (const json::exception& e) {
    return Error{ErrorKind::config, "the demo's conversations cannot be read"}
        .with("path", path)
        .with("reason", e.what());
  }
}

}  // namespace freshet
