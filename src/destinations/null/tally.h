// What the null destination counts of a table.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "freshet/destination.h"

namespace freshet {

struct RowTally {
  std::uint64_t rows = 0;
  std::uint64_t sum = 0;  ///< Of the rows' hashes, modulo 2^64 (encoding.h).
  std::uint64_t bytes = 0;

  void add(std::uint64_t hash, std::uint64_t row_size) {
    ++rows;
    sum += hash;
    bytes += row_size;
  }

  void add(const RowTally& other) {
    rows += other.rows;
    sum += other.sum;
    bytes += other.bytes;
  }
};

struct ChangeTally {
  RowTally inserted;
  RowTally updated;  ///< The new rows; a value that was not sent counts as such.
  RowTally upserted;
  RowTally deleted;  ///< The old rows as sent: keys, or whole rows under REPLICA IDENTITY FULL.
  std::uint64_t truncated = 0;

  void add(const Change& change);
  void add(const ChangeTally& other);
};

struct TableTally {
  ChangeTally streamed;
  ChangeTally pending;                       ///< Of a transaction that is not complete.
  std::map<std::uint32_t, RowTally> copied;  ///< By range: a range that is copied again replaces.
};

using Tallies = std::map<TableName, TableTally>;

/// One JSON object, with a line break.
std::string report_json(const Tallies& tables, Position position);

}  // namespace freshet
