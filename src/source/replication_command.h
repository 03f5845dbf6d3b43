// Replication commands as text, and what their failures mean. Pure.
#pragma once

#include <string>
#include <string_view>

#include "freshet/result.h"
#include "source/replication_connection.h"

namespace freshet::source {

/// Field of an error: how the slot's changes were lost. See is_slot_loss().
constexpr std::string_view kLost = "lost";
constexpr const char* kLossFix =
    "source.on_gap: resync makes the slot anew and copies all tables again; or run `freshet drop` "
    "and start afresh";

Result<std::string> create_slot_command(const CreateSlotOptions& options, int server_version);
Result<std::string> start_command(const StartOptions& options, int server_version);

/// The error of a command about a slot: `slot_in_use` with context `pid` where that is the reason.
Error slot_error(Error error, const std::string& slot);
Error create_slot_error(Error error, const std::string& slot);
Error start_error(Error error, const std::string& slot);
/// The error of a stream that has started.
Error stream_error(Error error);

}  // namespace freshet::source
