// The SQLSTATE codes that Freshet tells apart (PostgreSQL manual, appendix A).
#pragma once

#include <string_view>

namespace freshet::pg::sqlstate {

constexpr std::string_view kFeatureNotSupported = "0A000";
constexpr std::string_view kNotNullViolation = "23502";
constexpr std::string_view kUniqueViolation = "23505";
constexpr std::string_view kInvalidTransactionState = "25000";
constexpr std::string_view kReadOnlyTransaction = "25006";
constexpr std::string_view kInvalidAuthorization = "28000";
constexpr std::string_view kDependentObjects = "2BP01";
constexpr std::string_view kInvalidPassword = "28P01";
constexpr std::string_view kUnknownDatabase = "3D000";
constexpr std::string_view kSerializationFailure = "40001";
constexpr std::string_view kDeadlockDetected = "40P01";
constexpr std::string_view kInsufficientPrivilege = "42501";
constexpr std::string_view kUndefinedColumn = "42703";
constexpr std::string_view kUndefinedObject = "42704";
constexpr std::string_view kDuplicateObject = "42710";
/// Also: no such operator, as json has none for comparing.
constexpr std::string_view kUndefinedFunction = "42883";
constexpr std::string_view kUndefinedTable = "42P01";
constexpr std::string_view kUndefinedSchema = "3F000";
constexpr std::string_view kDiskFull = "53100";
constexpr std::string_view kOutOfMemory = "53200";
constexpr std::string_view kTooManyConnections = "53300";
/// Also: no free replication slot.
constexpr std::string_view kConfigurationLimitExceeded = "53400";
/// A slot that was invalidated; PG 18's `skipped loading publication`.
constexpr std::string_view kNotInPrerequisiteState = "55000";
constexpr std::string_view kObjectInUse = "55006";
constexpr std::string_view kLockNotAvailable = "55P03";
constexpr std::string_view kQueryCanceled = "57014";
constexpr std::string_view kAdminShutdown = "57P01";
constexpr std::string_view kCrashShutdown = "57P02";
constexpr std::string_view kCannotConnectNow = "57P03";

}  // namespace freshet::pg::sqlstate
