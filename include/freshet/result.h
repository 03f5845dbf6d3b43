// Result and Status: the one error idiom of Freshet. Nothing here throws, locks or does I/O.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace freshet {

/// What went wrong, as a class that decides what may be done about it (see base/error_policy.h).
enum class ErrorKind : unsigned char {
  connection,   ///< A connection failed or was cut; trying again can help.
  busy,         ///< The server refused for now: deadlock, too many connections, disk full there.
  slot_in_use,  ///< Another process streams from our slot.
  lease_held,   ///< Another Freshet holds the pipeline.
  fenced,       ///< A newer Freshet took the pipeline over; this one must stop.
  went_back,    ///< The destination's position is older than what we wrote: it lost commits.
  credentials,  ///< Wrong password, unknown role or database, no matching pg_hba line.
  permission,   ///< The role lacks a right.
  setting,      ///< A server or object is not set up as needed (wal_level, missing publication).
  config,       ///< The configuration or the command line is wrong.
  gap,       ///< Continuing would skip changes: a slot lost, recreated, advanced; another server.
  data,      ///< One value or row cannot be delivered.
  schema,    ///< A table at the destination does not fit the source's.
  protocol,  ///< The peer sent bytes that break its protocol.
  storage,   ///< A local file could not be read or written (disk full, permissions).
  unsupported,  ///< Asked for something that Freshet or this server version does not do.
  cancelled,    ///< Stopped because somebody asked.
  internal,     ///< A defect of Freshet.
};

/// Names `kind` in logs and JSON, e.g. "slot_in_use". Never fails.
std::string_view to_string(ErrorKind kind) noexcept;

/// A failure: kind, a lower-case fact without full stop, and context fields in the order added.
/// Never holds row values or secrets. Copyable, cheap to move; use from one thread at a time.
class Error {
 public:
  Error(ErrorKind kind, std::string message);
  Error(const Error& other);
  Error& operator=(const Error& other);
  Error(Error&&) noexcept = default;
  Error& operator=(Error&&) noexcept = default;
  ~Error() = default;

  /// Adds a context field, e.g. `.with("table", name)`.
  Error&& with(std::string_view key, std::string_view value) &&;
  Error&& with(std::string_view key, const std::string& value) &&;
  Error&& with(std::string_view key, const char* value) &&;
  Error&& with(std::string_view key, unsigned long long value) &&;
  void add(std::string_view key, std::string_view value);
  /// Sets the advice shown to the operator: one sentence, or the SQL or setting that mends it.
  Error&& fix(std::string advice) &&;
  /// Sets the server's five-character SQLSTATE.
  Error&& sqlstate(std::string_view code) &&;
  /// Marks that a write may have landed although it failed (a COMMIT whose answer was lost).
  Error&& in_doubt() &&;

  ErrorKind kind() const noexcept;
  const std::string& message() const noexcept;
  const std::string& fix() const noexcept;
  const std::string& sqlstate() const noexcept;
  bool is_in_doubt() const noexcept;
  const std::vector<std::pair<std::string, std::string>>& context() const noexcept;
  std::string_view find(std::string_view key) const noexcept;  ///< Empty if there is no such field.

  /// One line: message, then key=value fields, then sqlstate. Without the advice.
  std::string describe() const;

 private:
  struct Detail;

  struct DetailDeleter {
    void operator()(Detail* detail) const noexcept;
  };

  std::unique_ptr<Detail, DetailDeleter> detail_;
};

/// Either a T or an Error. Check before use: value() on an error aborts.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<0>, std::move(value)) {}

  Result(Error error)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const noexcept { return state_.index() == 0; }

  explicit operator bool() const noexcept { return ok(); }

  T& value() & { return std::get<0>(state_); }

  const T& value() const& { return std::get<0>(state_); }

  T&& value() && { return std::get<0>(std::move(state_)); }

  T& operator*() & { return value(); }

  const T& operator*() const& { return value(); }

  T* operator->() { return &value(); }

  const T* operator->() const { return &value(); }

  Error& error() & { return std::get<1>(state_); }

  const Error& error() const& { return std::get<1>(state_); }

  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

/// Success, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;

  Status(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const noexcept { return !error_.has_value(); }

  explicit operator bool() const noexcept { return ok(); }

  Error& error() & { return *error_; }

  const Error& error() const& { return *error_; }

  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

inline Status ok_status() {
  return {};
}

}  // namespace freshet
