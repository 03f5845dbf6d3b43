#include "pg/wire.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include <libpq-fe.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace freshet::pg {
namespace {

Error closed_by_server() {
  return {ErrorKind::connection, "the server closed the connection unexpectedly"};
}

bool is_momentary(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/// 0 for "not now", or why it failed.
Result<std::size_t> socket_failure() {
  if (is_momentary(errno)) return std::size_t{0};
  return Error{ErrorKind::connection, std::strerror(errno)};
}

Result<std::size_t> tls_failure(ssl_st* tls, int returned, int system_error) {
  switch (SSL_get_error(tls, returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return std::size_t{0};
    case SSL_ERROR_ZERO_RETURN:
      return closed_by_server();
    case SSL_ERROR_SYSCALL:
      if (system_error == 0) return closed_by_server();
      return Error{ErrorKind::connection, std::strerror(system_error)};
    default:
      break;
  }
  const char* reason = ERR_reason_error_string(ERR_get_error());
  return Error{ErrorKind::connection,
               std::string{"the TLS session broke: "} + (reason == nullptr ? "unknown" : reason)};
}

/// `transfer` is SSL_read_ex or SSL_write_ex.
template <typename Transfer, typename Bytes>
Result<std::size_t> through_tls(ssl_st* tls, Transfer transfer, Bytes bytes) {
  ERR_clear_error();
  errno = 0;
  std::size_t count = 0;
  const int returned = transfer(tls, bytes.data(), bytes.size(), &count);
  if (returned == 1) return count;
  return tls_failure(tls, returned, errno);
}

}  // namespace

Result<Wire> Wire::of(pg_conn* connection) {
  if (PQgssEncInUse(connection) == 1) {
    return Error{ErrorKind::unsupported, "the connection is encrypted by GSSAPI"}.fix(
        "put gssencmode=disable into the url, and use TLS");
  }
  ssl_st* tls = nullptr;
  if (PQsslInUse(connection) == 1) {
    tls = static_cast<ssl_st*>(PQsslStruct(connection, "OpenSSL"));
    if (tls == nullptr) {
      return Error{ErrorKind::unsupported, "libpq was built with another TLS library than OpenSSL"};
    }
  }
  return Wire{PQsocket(connection), tls};
}

Result<std::size_t> Wire::read(std::span<char> into) {
  if (tls_ != nullptr) return through_tls(tls_, SSL_read_ex, into);
  const ssize_t count = ::recv(socket_, into.data(), into.size(), MSG_DONTWAIT);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count == 0) return closed_by_server();
  return socket_failure();
}

Result<std::size_t> Wire::write(std::string_view bytes) {
  if (tls_ != nullptr) return through_tls(tls_, SSL_write_ex, bytes);
  const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count >= 0) return static_cast<std::size_t>(count);
  return socket_failure();
}

}  // namespace freshet::pg
