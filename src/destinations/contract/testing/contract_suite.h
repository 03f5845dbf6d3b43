// What every destination promises (freshet/destination.h), as tests over Subjects.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "destinations/contract/testing/batch.h"
#include "destinations/contract/testing/subject.h"

namespace freshet {

class DestinationContract : public testing::TestWithParam<SubjectCase> {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Makes and opens a destination under a newer lease than before, after closing the last one.
  Destination& reopen();
  /// The same without closing the last one first; empty if it was refused.
  Result<std::unique_ptr<Destination>> open_beside();
  /// Opens an empty store, adopts the slot at kStart and prepares the table.
  Destination& start(const SchemaPtr& schema);
  /// Writes whole transactions, each with its own table, up to the last one's position.
  void write(const std::vector<const testing_rows::Batch*>& batches,
             Durability durability = Durability::may_defer);
  void copy(const SchemaPtr& schema, const RangeId& range, const testing_rows::Batch& rows);
  void expect_rows(const TableSchema& schema, const std::vector<testing_rows::Cells>& rows);
  void expect_position(std::uint64_t lsn);

  static const SlotIdentity kSlot;
  static constexpr Position kStart{Lsn{0x1000}};

  std::unique_ptr<Subject> subject_;
  std::unique_ptr<Destination> destination_;
  DestinationState state_;  ///< As the last open() returned it.
  std::uint64_t epoch_ = 1'700'000'000'000;
};

}  // namespace freshet
