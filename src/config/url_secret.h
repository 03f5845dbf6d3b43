// Passwords inside connection strings.
#pragma once

#include <string>
#include <string_view>

namespace freshet {

/// True if a URI or `key=value` connection string holds a password.
bool has_url_password(std::string_view url);
/// The same with `***` in place of each password: for messages.
std::string redact_url(std::string_view url);
/// Overwrites each password in place with `x`, keeping the length: for argv.
void blank_url_password(char* url);

}  // namespace freshet
