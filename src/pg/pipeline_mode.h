// libpq's pipeline mode on a Connection: many statements, one round trip.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet::pg {

/// A statement's parameter; a view that must live until the send call returns.
struct Parameter {
  const char* data = nullptr;  ///< Null: NULL. Text form: ends with NUL.
  int size = 0;                ///< Of the binary form.
  bool is_binary = false;
};

/// The statement that failed: its place among those sent since the last sync, from 0.
struct PipelineFailure {
  std::size_t command = 0;
  Error error;
};

/// Queues statements and collects their results. An error skips everything up to the next sync.
/// Not in the way of plain calls on the connection while left(). One thread.
class PipelineMode {
 public:
  explicit PipelineMode(Connection& connection) : connection_(connection) {}

  /// Switch the mode; no-ops when it is on (off) already. leave() needs all results collected.
  Status enter();
  Status leave();

  /// Parameters have the types that the statement gives them.
  Status send_prepare(const std::string& name, const std::string& sql);
  Status send_prepared(const std::string& name, std::span<const Parameter> parameters);
  Status send(const char* sql);

  /// Statements sent since the last sync.
  std::size_t sent() const noexcept { return sent_; }

  using ResultHandler = std::function<void(std::size_t command, const pg_result& result)>;
  /// Ends the batch, waits for all results and hands them over in order. Nothing: all went well.
  /// Errors of the connection itself are failures too.
  std::optional<PipelineFailure> sync(const ResultHandler& on_result);

 private:
  Status count_sent(int is_sent, std::size_t bytes);

  Connection& connection_;
  std::size_t sent_ = 0;
  std::size_t unflushed_bytes_ = 0;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

}  // namespace freshet::pg
