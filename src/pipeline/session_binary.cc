// What keeps a pipeline from taking values in binary form, said before anything begins.

#include <algorithm>

#include "base/try.h"
#include "pipeline/session.h"
#include "source/binary_check.h"
#include "types/binary_form.h"

namespace freshet {
namespace {

Error refuse(const TableName& table, std::string what) {
  return Error{ErrorKind::config, std::move(what)}
      .with("table", to_string(table))
      .fix("remove source.binary");
}

}  // namespace

// Values in binary form are looked at by nobody but the destination.
Status Session::check_binary() {
  if (!options_.config.source.is_binary) return ok_status();
  for (const auto& [name, plan] : plans_) {
    if (plan.publication.filters_rows) {
      return refuse(name, "a `where` that is not in the publication needs values as text");
    }
  }
  for (const TransformConfig& transform : options_.config.transforms) {
    std::vector<std::string> read;
    if (transform.embed) read.push_back(transform.embed->from);
    for (const auto& [column, method] : transform.mask) {
      if (method == MaskMethod::hash || method == MaskMethod::last4) read.push_back(column);
    }
    const TableSchema& schema = plans_.at(transform.table).catalog.schema;
    for (const std::string& column : read) {
      const int place = schema.find(column);
      if (place < 0 || is_text_in_binary(schema.columns[static_cast<std::size_t>(place)].type))
        continue;
      return refuse(transform.table, "a transform needs the values of a column as text")
          .with("column", column);
    }
  }
  return check_binary_types();
}

Status Session::check_binary_types() {
  std::vector<Oid> relations;
  for (const auto& [name, plan] : plans_)
    relations.push_back(plan.catalog.schema.relation);
  FRESHET_TRY(const auto faults, source::find_binary_faults(*sql_, relations));
  for (const source::BinaryFault& fault : faults) {
    const auto plan = std::find_if(plans_.begin(), plans_.end(), [&](const auto& entry) {
      return entry.second.catalog.schema.relation == fault.relation;
    });
    FRESHET_TRY(const ShapePtr shape, make_copy_shape(plan->second));
    if (shape->read->find(fault.column) < 0) continue;
    return refuse(plan->first,
                  fault.has_no_form
                      ? "the server has no binary form of a type within a column's"
                      : "a column's binary form holds a type's number, which differs by server")
        .with("column", fault.column)
        .with("type", fault.type)
        .fix("remove source.binary, or leave the column out by `columns`");
  }
  return ok_status();
}

}  // namespace freshet
