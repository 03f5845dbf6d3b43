// `mask: {column: hash|redact|null|last4}`: keeps personal data out of a destination.
//
// hash    HMAC-SHA-256 in hexadecimal: equal values stay equal, in all tables of one key
// redact  `***`
// null    NULL
// last4   `****` and the last four characters; nothing of a text that has no more than four
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "freshet/config.h"
#include "freshet/transform.h"
#include "transforms/mask/keyed_hash.h"

namespace freshet {

struct ColumnMask {
  std::string column;
  MaskMethod method = MaskMethod::redact;
};

struct MaskOptions {
  TableName table;
  std::vector<ColumnMask> columns;
  Secret key = {};  ///< Needed for `hash`; see generate_mask_key().
};

/// NULL stays NULL and unchanged stays unchanged. Old rows and keys are masked like new rows. A
/// masked column is of type text afterwards, but for `null`, which keeps its type.
class MaskTransform final : public Transform {
 public:
  /// An error of kind `config` if `hash` is asked for without a key, or a column is named twice.
  static Result<std::unique_ptr<MaskTransform>> make(MaskOptions options);

  const TableName& table() const override { return options_.table; }

  /// An error of kind `config` where rows could not be told apart any more: a key column may be
  /// hashed only.
  Result<SchemaPtr> output_schema(const SchemaPtr& input) override;
  Status apply(const TableSchema& input, std::span<Change> changes, Arena& arena) override;

 private:
  struct Target {
    std::size_t place = 0;
    MaskMethod method = MaskMethod::redact;
  };

  explicit MaskTransform(MaskOptions options) : options_(std::move(options)) {}

  Result<std::vector<Target>> targets_in(const TableSchema& input) const;

  const MaskOptions options_;
  std::optional<KeyedHash> hash_;  ///< Copied by each apply(), never used itself.
};

}  // namespace freshet
