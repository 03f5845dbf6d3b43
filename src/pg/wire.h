// The bytes of an established connection, past libpq, which copies each message twice and allocates
// for it.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "freshet/result.h"

struct pg_conn;
struct ssl_st;

namespace freshet::pg {

/// Reads and writes a connection's socket, through its TLS session where it has one. Neither call
/// waits. One thread at a time; the connection outlives it.
class Wire {
 public:
  /// `connection` is idle, and libpq neither reads nor writes while this does. Fails with
  /// `unsupported` where GSSAPI encrypts: libpq does not give its session away.
  static Result<Wire> of(pg_conn* connection);

  /// `tls` is null, or a session over that socket. Owns neither.
  Wire(int socket, ssl_st* tls) : socket_(socket), tls_(tls) {}

  /// Takes what has come, at most `into.size()` bytes. 0: nothing is there now. Fails with
  /// `connection` at the end of the stream.
  Result<std::size_t> read(std::span<char> into);
  /// Gives as much as the socket takes; how much that was. TLS wants the same bytes again after a
  /// 0.
  Result<std::size_t> write(std::string_view bytes);

  /// False: a read() that came back short may have left something (TLS reads record by record).
  bool is_short_read_the_end() const noexcept { return tls_ == nullptr; }

 private:
  int socket_;
  ssl_st* tls_;  // libpq's; null without TLS
};

}  // namespace freshet::pg
