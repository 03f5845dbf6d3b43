#include "state/sqlite/database.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <sqlite3.h>

#include "base/try.h"

namespace freshet {
namespace {

constexpr int kBusyTimeoutMs = 5000;

constexpr std::string_view kDamagedAdvice =
    "move this file and its -wal and -shm away and start again: no row is lost, progress is found "
    "at the destination, and a table not recorded as streaming there is copied again";

Error file_error(const std::string& path, int error_number) {
  const bool is_full = error_number == ENOSPC || error_number == EDQUOT;
  return Error{ErrorKind::storage, is_full ? "no space is left for the state file"
                                           : "the state file cannot be opened or written"}
      .with("path", path)
      .with("reason", std::generic_category().message(error_number))
      .fix(is_full ? "free space on the disk of " + path
                   : "let the user that runs freshet read and write " + path +
                         " and its directory, or name another one with `state: sqlite:PATH`");
}

// Makes missing directories for the owner alone; existing ones stay as they are.
Status make_directories(const std::filesystem::path& directory, const std::string& path) {
  std::error_code code;
  if (directory.empty() || std::filesystem::is_directory(directory, code)) return ok_status();
  FRESHET_TRY(make_directories(directory.parent_path(), path));
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return file_error(path, errno);
  return ok_status();
}

// SQLite makes files by the umask, and gives -wal and -shm the mode of the file: so make it first.
Status make_private_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return file_error(path, errno);
  struct stat status{};
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) != 0) {
    // Fails where the file belongs to somebody else, who then decides about its mode.
    std::ignore = fchmod(file, 0600);
  }
  close(file);
  return ok_status();
}

}  // namespace

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

Statement::Statement(Database& database, sqlite3_stmt* statement)
    : database_(&database), statement_(statement) {}

Statement& Statement::bind(std::string_view text) {
  // A null pointer would bind NULL.
  const char* bytes = text.empty() ? "" : text.data();
  const int code = sqlite3_bind_text64(statement_.get(), ++bound_, bytes, text.size(),
                                       SQLITE_TRANSIENT,  // NOLINT: SQLite's own macro
                                       SQLITE_UTF8);
  if (code != SQLITE_OK) bind_code_ = code;
  return *this;
}

Statement& Statement::bind(std::int64_t number) {
  const int code = sqlite3_bind_int64(statement_.get(), ++bound_, number);
  if (code != SQLITE_OK) bind_code_ = code;
  return *this;
}

Statement& Statement::bind_null() {
  const int code = sqlite3_bind_null(statement_.get(), ++bound_);
  if (code != SQLITE_OK) bind_code_ = code;
  return *this;
}

Result<bool> Statement::next() {
  if (bind_code_ != SQLITE_OK) return database_->error(bind_code_);
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_->error(code);
}

Status Statement::run() {
  while (true) {
    FRESHET_TRY(const bool has_row, next());
    if (!has_row) return ok_status();
  }
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  if (bytes == nullptr) return {};
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

Database::Database(std::string path, sqlite3* connection)
    : path_(std::move(path)), connection_(connection) {}

Database::~Database() {
  sqlite3_close(connection_);
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  FRESHET_TRY(make_directories(std::filesystem::path(path).parent_path(), path));
  FRESHET_TRY(make_private_file(path));
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &connection,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(path, connection));
  if (code != SQLITE_OK) return database->error(code);
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, kBusyTimeoutMs);
  return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(connection_, sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr);
  if (code != SQLITE_OK) return error(code);
  return Statement(*this, statement);
}

Status Database::run_script(const std::string& sql) {
  const int code = sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return ok_status();
}

Error Database::error(int code) const {
  const int error_number = connection_ == nullptr ? 0 : sqlite3_system_errno(connection_);
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return Error{ErrorKind::storage, "the state file is damaged or is not a state file"}
          .with("path", path_)
          .with("reason", sqlite3_errstr(code))
          .fix(std::string{kDamagedAdvice});
    case SQLITE_FULL:
      return file_error(path_, ENOSPC);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return file_error(path_, error_number == 0 ? EIO : error_number);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return file_error(path_, error_number == 0 ? EACCES : error_number);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error{ErrorKind::busy, "the state file is locked by another process"}.with("path",
                                                                                        path_);
    default:
      return Error{ErrorKind::storage, "the state file could not be used"}
          .with("path", path_)
          .with("reason",
                connection_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection_));
  }
}

Result<Transaction> Transaction::begin_write(Database& database) {
  FRESHET_TRY(database.run_script("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Result<Transaction> Transaction::begin_read(Database& database) {
  FRESHET_TRY(database.run_script("BEGIN"));
  return Transaction(database);
}

Transaction::~Transaction() {
  // SQLite has already rolled back after some errors; then this fails, and that is all right.
  if (database_ != nullptr) std::ignore = database_->run_script("ROLLBACK");
}

Status Transaction::commit() {
  FRESHET_TRY(database_->run_script("COMMIT"));
  database_ = nullptr;
  return ok_status();
}

}  // namespace freshet
