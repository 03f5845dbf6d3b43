// Keys as bytes that compare as PostgreSQL compares the keys: which key range a changed row belongs
// to can then be told without asking the server.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/result.h"
#include "freshet/row.h"
#include "freshet/schema.h"

namespace freshet {

/// Compare as bytes. Keys of one codec have one length.
using SortKey = std::string;

/// Turns the primary key of rows into sort keys and back. A value; thread-safe once made.
class SortKeyCodec {
 public:
  /// Of the table's primary key. Nothing if it has none, if an old tuple need not hold it (the
  /// replica identity is another index or nothing), or if the order of one of its types is not
  /// reproduced here: integers, uuid, date and both timestamps are.
  static std::optional<SortKeyCodec> of(const TableSchema& schema);

  /// The key's columns in the order of the primary key.
  const std::vector<std::string>& columns() const noexcept { return columns_; }

  /// Where those columns are in rows of `schema`; nothing if one is missing.
  std::optional<std::vector<std::uint16_t>> places_in(const TableSchema& schema) const;

  /// Replaces `key` by that of a row whose key columns are at `places`. Fails with ErrorKind::data
  /// if a value is neither the text of its type nor its binary form.
  Status encode(RowView row, std::span<const std::uint16_t> places, SortKey& key) const;
  /// The same from the key's values alone.
  Result<SortKey> encode(std::span<const std::string> values) const;
  /// The key's values as PostgreSQL writes them. `key` must come from encode().
  std::vector<std::string> decode(std::string_view key) const;

 private:
  enum class Form : std::uint8_t { integer, uuid, date, timestamp, timestamptz };

  static std::optional<Form> form_of(Oid type);
  static bool append_text(Form form, std::string_view text, SortKey& key);
  static bool append_binary(Form form, std::string_view bytes, SortKey& key);
  static std::string text_of(Form form, std::string_view bytes);

  Status append(const Value& value, std::size_t column, SortKey& key) const;

  std::vector<std::string> columns_;
  std::vector<Form> forms_;
};

}  // namespace freshet
