#include <fmt/format.h>

#include "freshet/result.h"

namespace freshet {

struct Error::Detail {
  ErrorKind kind;
  std::string message;
  std::vector<std::pair<std::string, std::string>> context;
  std::string fix;
  std::string sqlstate;
  bool in_doubt = false;
};

void Error::DetailDeleter::operator()(Detail* detail) const noexcept {
  delete detail;
}

Error::Error(ErrorKind kind, std::string message)
    : detail_(new Detail{kind, std::move(message), {}, {}, {}, false}) {}

Error::Error(const Error& other) : detail_(new Detail(*other.detail_)) {}

Error& Error::operator=(const Error& other) {
  if (this != &other) detail_.reset(new Detail(*other.detail_));
  return *this;
}

void Error::add(std::string_view key, std::string_view value) {
  detail_->context.emplace_back(key, value);
}

Error&& Error::with(std::string_view key, std::string_view value) && {
  add(key, value);
  return std::move(*this);
}

Error&& Error::with(std::string_view key, const std::string& value) && {
  add(key, value);
  return std::move(*this);
}

Error&& Error::with(std::string_view key, const char* value) && {
  add(key, value);
  return std::move(*this);
}

Error&& Error::with(std::string_view key, unsigned long long value) && {
  add(key, std::to_string(value));
  return std::move(*this);
}

Error&& Error::fix(std::string advice) && {
  detail_->fix = std::move(advice);
  return std::move(*this);
}

Error&& Error::sqlstate(std::string_view code) && {
  detail_->sqlstate = code;
  return std::move(*this);
}

Error&& Error::in_doubt() && {
  detail_->in_doubt = true;
  return std::move(*this);
}

ErrorKind Error::kind() const noexcept {
  return detail_->kind;
}

const std::string& Error::message() const noexcept {
  return detail_->message;
}

const std::string& Error::fix() const noexcept {
  return detail_->fix;
}

const std::string& Error::sqlstate() const noexcept {
  return detail_->sqlstate;
}

bool Error::is_in_doubt() const noexcept {
  return detail_->in_doubt;
}

const std::vector<std::pair<std::string, std::string>>& Error::context() const noexcept {
  return detail_->context;
}

std::string_view Error::find(std::string_view key) const noexcept {
  for (const auto& [name, value] : detail_->context) {
    if (name == key) return value;
  }
  return {};
}

std::string Error::describe() const {
  std::string line = detail_->message;
  for (const auto& [key, value] : detail_->context)
    line += fmt::format(" {}={}", key, value);
  if (!detail_->sqlstate.empty()) line += fmt::format(" sqlstate={}", detail_->sqlstate);
  return line;
}

std::string_view to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::connection:
      return "connection";
    case ErrorKind::busy:
      return "busy";
    case ErrorKind::slot_in_use:
      return "slot_in_use";
    case ErrorKind::lease_held:
      return "lease_held";
    case ErrorKind::fenced:
      return "fenced";
    case ErrorKind::went_back:
      return "went_back";
    case ErrorKind::credentials:
      return "credentials";
    case ErrorKind::permission:
      return "permission";
    case ErrorKind::setting:
      return "setting";
    case ErrorKind::config:
      return "config";
    case ErrorKind::gap:
      return "gap";
    case ErrorKind::data:
      return "data";
    case ErrorKind::schema:
      return "schema";
    case ErrorKind::protocol:
      return "protocol";
    case ErrorKind::storage:
      return "storage";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::cancelled:
      return "cancelled";
    case ErrorKind::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace freshet
