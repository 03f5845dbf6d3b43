#include "transforms/embed/embed_transform.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

#include "base/try.h"
#include "freshet/arena.h"
#include "transforms/column_lookup.h"
#include "transforms/embed/vector_text.h"

namespace freshet {
namespace {

// Bounds the floats held at once: 4 MiB at 256 dimensions.
constexpr std::size_t kTextsPerCall = 4096;
// Of a derived column; the real one belongs to the extension and differs from server to server.
constexpr Oid kNoType{0};

RowView widened(RowView row, Value last, Arena& arena) {
  if (row.empty()) return row;
  const std::span<Value> wide = arena.array<Value>(row.size() + 1);
  std::copy(row.begin(), row.end(), wide.begin());
  wide.back() = last;
  return wide;
}

std::optional<std::size_t> number_in(std::string_view text) {
  std::size_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size()) return {};
  return number;
}

}  // namespace

Result<SchemaPtr> EmbedTransform::output_schema(const SchemaPtr& input) {
  FRESHET_TRY(const std::size_t from, get_column(*input, options_.from));
  static_cast<void>(from);
  if (input->find(options_.into) >= 0) {
    return Error{ErrorKind::config, "embed would write into a column that the table already has"}
        .with("table", to_string(input->name))
        .with("column", options_.into)
        .fix("give another name in `into`, or leave that column out of the table's `columns`");
  }
  FRESHET_TRY(const std::size_t dimensions, embedder_.dimensions());
  auto output = std::make_shared<TableSchema>(*input);
  Column column;
  column.name = options_.into;
  column.type = kNoType;
  column.type_sql = "vector(" + std::to_string(dimensions) + ")";
  column.is_derived = true;
  column.is_builtin_type = false;
  output->columns.push_back(std::move(column));
  return SchemaPtr{std::move(output)};
}

Status EmbedTransform::apply(const TableSchema& input, std::span<Change> changes, Arena& arena) {
  FRESHET_TRY(const std::size_t from, get_column(input, options_.from));
  FRESHET_TRY(const Texts texts, widen_rows(input, from, changes, arena));
  return embed_texts(texts, changes, arena);
}

Result<EmbedTransform::Texts> EmbedTransform::widen_rows(const TableSchema& input,
                                                         std::size_t from,
                                                         std::span<Change> changes,
                                                         Arena& arena) const {
  Texts found;
  for (std::size_t at = 0; at < changes.size(); ++at) {
    Change& change = changes[at];
    change.before = widened(change.before, Value::null(), arena);
    if (change.after.empty()) continue;
    Value source = change.after[from];
    // Under FULL the old row tells it: who has only that to go by wants whole rows of us, too.
    if (source.is_unchanged() && change.old_row == OldRow::full) source = change.before[from];
    const Value last = source.is_unchanged() ? Value::unchanged() : Value::null();
    change.after = widened(change.after, last, arena);
    if (source.is_null() || source.is_unchanged() || source.size == 0) continue;
    FRESHET_TRY(const std::string_view text, text_form(source, input.columns[from]));
    found.texts.push_back(text);
    found.changes.push_back(at);
  }
  return found;
}

Status EmbedTransform::embed_texts(const Texts& texts, std::span<Change> changes, Arena& arena) {
  if (texts.texts.empty()) return ok_status();
  FRESHET_TRY(const std::size_t width, embedder_.dimensions());
  std::vector<float> vectors(std::min(texts.texts.size(), kTextsPerCall) * width);
  std::string written;
  for (std::size_t first = 0; first < texts.texts.size(); first += kTextsPerCall) {
    const auto part =
        std::span{texts.texts}.subspan(first, std::min(kTextsPerCall, texts.texts.size() - first));
    Status status = embedder_.embed(part, std::span{vectors}.first(part.size() * width));
    if (!status.ok()) return explain(std::move(status).error(), texts, first, changes);
    for (std::size_t at = 0; at < part.size(); ++at) {
      written.clear();
      append_vector_text(std::span{vectors}.subspan(at * width, width), written);
      const RowView row = changes[texts.changes[first + at]].after;
      // The row was made by widen_rows in the arena: it is ours to change.
      const_cast<Value&>(row.back()) = Value::text(arena.copy(written));
    }
    text_count_.fetch_add(part.size(), std::memory_order_relaxed);
  }
  return ok_status();
}

// An error about one text names the change it came in, for whom an index would mean nothing.
Error EmbedTransform::explain(Error error,
                              const Texts& texts,
                              std::size_t first,
                              std::span<Change> changes) const {
  error.add("table", to_string(options_.table));
  error.add("column", options_.from);
  const auto index = number_in(error.find("text_index"));
  if (!index || first + *index >= texts.changes.size()) return error;
  const ChangeId id = changes[texts.changes[first + *index]].id;
  error.add("commit_lsn", to_string(id.commit));
  error.add("ordinal", std::to_string(id.ordinal));
  return error;
}

}  // namespace freshet
