#include "destinations/jsonl/journal_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/try.h"

namespace freshet {
namespace {

using nlohmann::json;

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kPositionLineBytesMax = 256;
constexpr std::size_t kHeaderLineBytesMax = 512;
constexpr std::size_t kStateLineBytesMax = std::size_t{64} << 20;

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<std::uint64_t> number_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return {};
  return found->get<std::uint64_t>();
}

std::optional<std::uint64_t> parse_sum(const std::string& text) {
  std::uint64_t sum = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), sum, 16);
  if (error != std::errc{} || end != text.data() + text.size() || text.size() != 16) return {};
  return sum;
}

std::optional<SlotIdentity> parse_slot(const json& object) {
  const std::optional<Lsn> point = parse_lsn(text_at(object, "consistent_point"));
  const std::optional<std::uint64_t> timeline = number_at(object, "timeline");
  if (!point || !timeline) return {};
  return SlotIdentity{.system_identifier = text_at(object, "system_identifier"),
                      .timeline = static_cast<std::uint32_t>(*timeline),
                      .slot_name = text_at(object, "name"),
                      .consistent_point = *point,
                      .epoch = text_at(object, "epoch")};
}

}  // namespace

Error JournalReader::damaged(std::string_view what) const {
  return Error{ErrorKind::storage, "the file was changed since freshet wrote it"}
      .with("path", path_)
      .with("what", what)
      .fix("move the file away and run `freshet drop`, then start again to copy afresh");
}

Result<std::string> JournalReader::read_line(std::uint64_t begin, std::size_t bytes_max) {
  std::size_t bytes = std::min<std::size_t>(4096, bytes_max);
  while (true) {
    FRESHET_TRY(std::string text, file_.read(begin, bytes));
    const std::size_t end = text.find('\n');
    if (end != std::string::npos) return text.substr(0, end + 1);
    if (text.size() < bytes || bytes == bytes_max) return text;
    bytes = std::min(bytes * 4, bytes_max);
  }
}

// True if there is a header; false if not even that was written whole.
Result<bool> JournalReader::check_header(const std::string& pipeline) {
  FRESHET_TRY(const std::string line, read_line(0, kHeaderLineBytesMax));
  const std::size_t common = std::min(line.size(), kHeaderStart.size());
  const bool is_ours = std::string_view(line).substr(0, common) == kHeaderStart.substr(0, common);
  if (is_ours && !line.ends_with('\n') && line.size() == size_) return false;
  const json header = json::parse(line, nullptr, false);
  if (text_at(header, "op") == "header" && !is_ours) {
    return Error{ErrorKind::unsupported, "the file was written by a newer freshet"}
        .with("path", path_)
        .fix("run the newer freshet, or name another path");
  }
  if (!is_ours || header.is_discarded()) {
    return Error{ErrorKind::config, "the file exists and was not written by freshet"}
        .with("path", path_)
        .fix("name another path, or move the file away");
  }
  if (text_at(header, "pipeline") == pipeline) return true;
  return Error{ErrorKind::config, "the file belongs to another pipeline"}
      .with("path", path_)
      .with("pipeline", text_at(header, "pipeline"))
      .fix("name another path, or move the file away");
}

Result<std::optional<JournalReader::PositionLine>> JournalReader::read_position(
    std::uint64_t begin) {
  FRESHET_TRY(const std::string line, read_line(begin, kPositionLineBytesMax));
  if (!line.ends_with('\n')) return std::optional<PositionLine>{};
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) return std::optional<PositionLine>{};
  const std::optional<Lsn> lsn = parse_lsn(text_at(object, "lsn"));
  const auto state_at = number_at(object, "state_at");
  const auto synced = number_at(object, "synced");
  const auto sum = parse_sum(text_at(object, "sum"));
  if (!lsn || !state_at || !synced || !sum || *synced > begin) return std::optional<PositionLine>{};
  return std::optional<PositionLine>{PositionLine{.begin = begin,
                                                  .end = begin + line.size(),
                                                  .lsn = *lsn,
                                                  .state_at = *state_at,
                                                  .synced = *synced,
                                                  .sum = *sum}};
}

// Searches backwards. Raw line breaks occur between lines only, so a match is a line's start.
Result<std::optional<JournalReader::PositionLine>> JournalReader::find_last_position(
    std::uint64_t before) {
  const std::string pattern = "\n" + std::string{kPositionStart};
  std::uint64_t end = before;
  while (end > 0) {
    const std::uint64_t begin = end > kChunkBytes ? end - kChunkBytes : 0;
    // Reads past `end`, so that a pattern across two chunks is found.
    FRESHET_TRY(std::string text,
                file_.read(begin, static_cast<std::size_t>(end - begin) + pattern.size()));
    text.resize(std::min<std::size_t>(text.size(), static_cast<std::size_t>(before - begin)));
    std::size_t at = text.rfind(pattern);
    while (at != std::string::npos) {
      FRESHET_TRY(auto line, read_position(begin + at + 1));
      if (line && line->end <= before) return line;
      at = at == 0 ? std::string::npos : text.rfind(pattern, at - 1);
    }
    end = begin;
  }
  return std::optional<PositionLine>{};
}

// After a power failure pages may be missing before the last position line: walks over what was not
// known to be on the disk, and stops where a sum does not fit.
Result<JournalReader::PositionLine> JournalReader::last_intact(const PositionLine& last) {
  std::optional<PositionLine> good;
  std::uint64_t sum = 0;
  std::uint64_t offset = last.synced;
  std::string text;
  while (offset < last.end) {
    FRESHET_TRY(std::string more, file_.read(offset + text.size(), kChunkBytes));
    if (more.empty()) break;
    text += more;
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos && offset + begin < last.end;
         end = text.find('\n', begin)) {
      const std::string_view line = std::string_view(text).substr(begin, end + 1 - begin);
      if (line.starts_with(kPositionStart)) {
        FRESHET_TRY(const auto position, read_position(offset + begin));
        if (!position || position->sum != sum) return good ? *good : PositionLine{};
        good = position;
        sum = 0;
      } else {
        sum = journal_sum(line, sum);
      }
      begin = end + 1;
    }
    text.erase(0, begin);
    offset += begin;
  }
  return good ? *good : PositionLine{};
}

Status JournalReader::read_state(std::uint64_t offset, JournalState& into) {
  FRESHET_TRY(const std::string line, read_line(offset, kStateLineBytesMax));
  const json object = json::parse(line, nullptr, false);
  if (text_at(object, "op") != "state") return damaged("state line");
  const auto slot = object.find("slot");
  if (slot != object.end() && slot->is_object()) {
    into.slot = parse_slot(*slot);
    if (!into.slot) return damaged("slot");
  }
  const auto tables = object.find("tables");
  if (tables == object.end() || !tables->is_array()) return damaged("tables");
  for (const json& table : *tables) {
    const auto phase = parse_table_phase(text_at(table, "phase"));
    if (!phase) return damaged("phase");
    into.tables[{.schema = text_at(table, "schema"), .table = text_at(table, "name")}] = *phase;
  }
  return ok_status();
}

Result<JournalFindings> JournalReader::read(const std::string& pipeline) {
  JournalFindings found;
  FRESHET_TRY(size_, file_.size());
  found.size = size_;
  if (size_ == 0) return found;
  FRESHET_TRY(const bool has_header, check_header(pipeline));
  if (!has_header) return found;
  FRESHET_TRY(auto last, find_last_position(size_));
  // No position: a crash before the first commit.
  if (!last) return found;
  FRESHET_TRY(PositionLine intact, last_intact(*last));
  if (intact.end == 0 && last->synced > 0) {
    log_warn("lines that had not reached the disk are damaged and will be written again",
             {{"path", path_}});
    FRESHET_TRY(auto synced, find_last_position(last->synced));
    if (!synced || synced->end != last->synced) return damaged("position line");
    intact = *synced;
  }
  if (intact.end == 0) return found;
  FRESHET_TRY(read_state(intact.state_at, found.state));
  found.state.position = Position{intact.lsn};
  found.committed_size = intact.end;
  found.state_at = intact.state_at;
  return found;
}

}  // namespace freshet
