#include "transforms/mask/mask_transform.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "freshet/arena.h"
#include "transforms/column_lookup.h"

namespace freshet {
namespace {

constexpr Oid kTextType{25};
constexpr std::string_view kRedacted = "***";
constexpr std::string_view kHidden = "****";
constexpr std::size_t kCharactersShown = 4;

// The last characters of UTF-8 text; nothing if that would be all of it.
std::string_view last_characters(std::string_view text) {
  std::size_t start = text.size();
  for (std::size_t seen = 0; seen < kCharactersShown; ++seen) {
    if (start == 0) return {};
    --start;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80)
      --start;
  }
  return start == 0 ? std::string_view{} : text.substr(start);
}

Result<std::string> masked_text(std::string_view text, MaskMethod method, KeyedHash* hash) {
  switch (method) {
    case MaskMethod::hash: {
      FRESHET_TRY(const KeyedHash::Hex hex, hash->hash(text));
      return std::string{hex.data(), hex.size()};
    }
    case MaskMethod::redact:
      return std::string{kRedacted};
    case MaskMethod::last4:
      return std::string{kHidden}.append(last_characters(text));
    case MaskMethod::null:
      return std::string{};
  }
  return std::string{};
}

Result<Value> masked(
    const Value& value, const Column& column, MaskMethod method, KeyedHash* hash, Arena& arena) {
  if (value.is_null() || value.is_unchanged()) return value;
  if (method == MaskMethod::null) return Value::null();
  if (method == MaskMethod::redact) return Value::text(kRedacted);
  FRESHET_TRY(const std::string_view text, text_form(value, column));
  FRESHET_TRY(const std::string result, masked_text(text, method, hash));
  return Value::text(arena.copy(result));
}

// Under FULL a row is addressed by all its values: masked alike on both sides they still pick a row
// that equals it after masking.
bool addresses_rows(const Column& column, ReplicaIdentity identity) {
  return column.primary_key_place > 0 || (column.is_identity && identity != ReplicaIdentity::full);
}

Status mask_column(Column& column, MaskMethod method, KeyedHash* hash) {
  if (column.missing_value != nullptr) {
    FRESHET_TRY(std::string value, masked_text(*column.missing_value, method, hash));
    column.missing_value = method == MaskMethod::null
                               ? nullptr
                               : std::make_shared<const std::string>(std::move(value));
  }
  if (method == MaskMethod::null) {
    column.is_not_null = false;
    return ok_status();
  }
  column.type = kTextType;
  column.typmod = -1;
  column.type_sql = "text";
  column.is_builtin_type = true;
  column.is_byte_comparable = true;
  return ok_status();
}

}  // namespace

Result<std::unique_ptr<MaskTransform>> MaskTransform::make(MaskOptions options) {
  std::unique_ptr<MaskTransform> transform{new MaskTransform(std::move(options))};
  const auto& columns = transform->options_.columns;
  for (std::size_t at = 0; at < columns.size(); ++at) {
    const bool is_repeated =
        std::any_of(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(at),
                    [&](const ColumnMask& other) { return other.column == columns[at].column; });
    if (is_repeated) {
      return Error{ErrorKind::config, "mask names a column twice"}.with("column",
                                                                        columns[at].column);
    }
    if (columns[at].method != MaskMethod::hash || transform->hash_) continue;
    if (transform->options_.key.empty()) {
      return Error{ErrorKind::config, "mask: hash needs a key"}.fix(
          "give `mask_key: ${NAME_OF_A_VARIABLE}`");
    }
    FRESHET_TRY(KeyedHash hash, KeyedHash::make(transform->options_.key));
    transform->hash_.emplace(std::move(hash));
  }
  return transform;
}

Result<std::vector<MaskTransform::Target>> MaskTransform::targets_in(
    const TableSchema& input) const {
  std::vector<Target> targets;
  for (const ColumnMask& mask : options_.columns) {
    FRESHET_TRY(const std::size_t place, get_column(input, mask.column));
    targets.push_back({.place = place, .method = mask.method});
  }
  return targets;
}

Result<SchemaPtr> MaskTransform::output_schema(const SchemaPtr& input) {
  FRESHET_TRY(const std::vector<Target> targets, targets_in(*input));
  std::optional<KeyedHash> hash;
  if (hash_) {
    FRESHET_TRY(KeyedHash copy, hash_->copy());
    hash.emplace(std::move(copy));
  }
  auto output = std::make_shared<TableSchema>(*input);
  for (const Target& target : targets) {
    Column& column = output->columns[target.place];
    if (target.method != MaskMethod::hash && addresses_rows(column, input->identity)) {
      return Error{
          ErrorKind::config,
          "mask would make the rows of a table indistinguishable: the column is part of its key"}
          .with("table", to_string(input->name))
          .with("column", column.name)
          .fix("use `hash`, which keeps different keys different");
    }
    FRESHET_TRY(mask_column(column, target.method, hash ? &*hash : nullptr));
  }
  return SchemaPtr{std::move(output)};
}

Status MaskTransform::apply(const TableSchema& input, std::span<Change> changes, Arena& arena) {
  FRESHET_TRY(const std::vector<Target> targets, targets_in(input));
  std::optional<KeyedHash> hash;
  if (hash_) {
    FRESHET_TRY(KeyedHash copy, hash_->copy());
    hash.emplace(std::move(copy));
  }
  for (Change& change : changes) {
    for (RowView* row : {&change.before, &change.after}) {
      if (row->empty()) continue;
      const std::span<Value> copy = arena.array<Value>(row->size());
      std::copy(row->begin(), row->end(), copy.begin());
      for (const Target& target : targets) {
        Value& value = copy[target.place];
        FRESHET_TRY(value, masked(value, input.columns[target.place], target.method,
                                  hash ? &*hash : nullptr, arena));
      }
      *row = copy;
    }
  }
  return ok_status();
}

}  // namespace freshet
