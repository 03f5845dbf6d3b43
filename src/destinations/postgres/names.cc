#include "destinations/postgres/names.h"

#include <functional>
#include <string_view>

#include <fmt/format.h>

namespace freshet::postgres {
namespace {

constexpr std::size_t kNameBytesMax = 63;

// A name that is too long gives way to its hash.
std::string with_suffix(std::string name, std::string_view suffix) {
  if (name.size() + suffix.size() <= kNameBytesMax) return name.append(suffix);
  const std::string end =
      fmt::format("_{:08x}{}", std::hash<std::string>{}(name) & 0xFFFFFFFFU, suffix);
  std::size_t keep = kNameBytesMax - end.size();
  // Not in the middle of a UTF-8 character.
  while (keep > 0 && (static_cast<unsigned char>(name[keep]) & 0xC0U) == 0x80U)
    --keep;
  return name.substr(0, keep) + end;
}

}  // namespace

std::string vector_index_name(const TableName& table, const std::string& column) {
  return with_suffix(table.table + "_" + column, "_hnsw");
}

std::string notify_channel(const std::string& pipeline) {
  std::string channel = "freshet_" + pipeline;
  if (channel.size() > kNameBytesMax) channel.resize(kNameBytesMax);
  return channel;
}

std::string key_index_name(const TableName& table, std::span<const std::string> key) {
  std::string name = table.table;
  for (const std::string& column : key)
    name += "_" + column;
  return with_suffix(std::move(name), "_freshet_key");
}

}  // namespace freshet::postgres
