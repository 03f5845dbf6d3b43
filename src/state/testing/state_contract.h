// What every state store promises (freshet/state_store.h), as tests over families of stores.
#pragma once

#include <functional>
#include <memory>

#include <gtest/gtest.h>

#include "freshet/state_store.h"

namespace freshet {

/// Several stores over one memory, as several processes over one file.
class StoreFamily {
 public:
  virtual ~StoreFamily() = default;
  virtual std::unique_ptr<StateStore> open() = 0;
};

struct FamilyCase {
  const char* name;
  std::function<std::unique_ptr<StoreFamily>()> make;  ///< Null: skipped, for want of a server.
};

class StateContract : public testing::TestWithParam<FamilyCase> {
 protected:
  void SetUp() override;

  static Holder self();
  /// For the pipeline `shop`, which must be free.
  static Lease acquire(StateStore& store);
  static StoredPipeline load(StateStore& store);

  std::unique_ptr<StoreFamily> family_;
  std::unique_ptr<StateStore> store_;
};

}  // namespace freshet
