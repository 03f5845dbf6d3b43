#include "pg/pipeline_mode.h"

#include <libpq-fe.h>

#include "base/try.h"

namespace freshet::pg {
namespace {

// Results are read while sending at least this often, so that neither side's buffer can fill up
// while both wait.
constexpr std::size_t kUnflushedBytesMax = std::size_t{128} << 10;

}  // namespace

Status PipelineMode::enter() {
  if (PQpipelineStatus(connection_.raw()) != PQ_PIPELINE_OFF) return ok_status();
  if (PQenterPipelineMode(connection_.raw()) == 1) return ok_status();
  return connection_.error_of(nullptr);
}

Status PipelineMode::leave() {
  if (PQpipelineStatus(connection_.raw()) == PQ_PIPELINE_OFF) return ok_status();
  if (PQexitPipelineMode(connection_.raw()) == 1) return ok_status();
  return connection_.error_of(nullptr);
}

Status PipelineMode::count_sent(int is_sent, std::size_t bytes) {
  if (is_sent != 1) return connection_.error_of(nullptr);
  ++sent_;
  unflushed_bytes_ += bytes;
  if (unflushed_bytes_ < kUnflushedBytesMax) return ok_status();
  unflushed_bytes_ = 0;
  return connection_.flush();
}

Status PipelineMode::send_prepare(const std::string& name, const std::string& sql) {
  return count_sent(PQsendPrepare(connection_.raw(), name.c_str(), sql.c_str(), 0, nullptr),
                    sql.size());
}

Status PipelineMode::send_prepared(const std::string& name, std::span<const Parameter> parameters) {
  values_.clear();
  lengths_.clear();
  formats_.clear();
  std::size_t bytes = 32;
  for (const Parameter& parameter : parameters) {
    values_.push_back(parameter.data);
    lengths_.push_back(parameter.size);
    formats_.push_back(parameter.is_binary ? 1 : 0);
    bytes += static_cast<std::size_t>(parameter.size) + 8;
  }
  return count_sent(
      PQsendQueryPrepared(connection_.raw(), name.c_str(), static_cast<int>(parameters.size()),
                          values_.data(), lengths_.data(), formats_.data(), 0),
      bytes);
}

Status PipelineMode::send(const char* sql) {
  return count_sent(
      PQsendQueryParams(connection_.raw(), sql, 0, nullptr, nullptr, nullptr, nullptr, 0), 64);
}

std::optional<PipelineFailure> PipelineMode::sync(const ResultHandler& on_result) {
  const std::size_t expected = sent_;
  sent_ = 0;
  unflushed_bytes_ = 0;
  if (PQpipelineSync(connection_.raw()) != 1) {
    return PipelineFailure{expected, connection_.error_of(nullptr)};
  }
  if (auto flushed = connection_.flush(); !flushed.ok()) {
    return PipelineFailure{expected, std::move(flushed).error()};
  }
  std::optional<PipelineFailure> failure;
  std::size_t command = 0;
  while (true) {
    auto next = connection_.next_result();
    if (!next.ok()) {
      if (!failure) failure = PipelineFailure{command, std::move(next).error()};
      return failure;
    }
    const pg_result* result = next.value().get();
    if (result == nullptr) {
      ++command;  // libpq puts a null between the results of two statements
      if (command <= expected) continue;
      if (!failure) failure = PipelineFailure{command, connection_.error_of(nullptr)};
      return failure;
    }
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) return failure;
    if (status == PGRES_PIPELINE_ABORTED || failure) continue;
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
      if (on_result) on_result(command, *result);
    } else {
      failure = PipelineFailure{command, connection_.error_of(result)};
    }
  }
}

}  // namespace freshet::pg
