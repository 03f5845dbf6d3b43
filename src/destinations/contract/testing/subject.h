// A kind of destination as the contract suite sees it. A new destination writes one of these, lists
// it in contract_test.cc (or _pgtest.cc), and has the whole suite.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "freshet/destination.h"

namespace freshet {

/// A row as a reader of the store sees it: text by column, nothing for NULL.
using VisibleRow = std::map<std::string, std::optional<std::string>>;

/// One empty store for one test, with what is needed to look into it.
class Subject {
 public:
  virtual ~Subject() = default;
  /// Another destination on the same store, not yet open.
  virtual Result<std::unique_ptr<Destination>> make() = 0;
  /// The rows of a table that a reader sees now, in the order of their first column; nothing if the
  /// store holds no rows by its nature.
  virtual std::optional<std::vector<VisibleRow>> rows(const TableSchema& schema) = 0;
};

struct SubjectCase {
  const char* name;
  /// Null, with a reason printed as the test's skip, where the store is not there.
  std::function<std::unique_ptr<Subject>()> make;
  const char* skip_reason = "";
};

inline void PrintTo(const SubjectCase& subject, std::ostream* out) {
  *out << subject.name;
}

}  // namespace freshet
