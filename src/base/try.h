// FRESHET_TRY and FRESHET_CHECK. For .cc files (and templates) only.
//   FRESHET_TRY(status_expr);                     returns its error from the enclosing function
//   FRESHET_TRY(const Oid oid, result_expr);      the same, else binds the value
#pragma once

#include <cstdio>
#include <cstdlib>

#include "freshet/result.h"

#define FRESHET_CONCAT_INNER(a, b) a##b
#define FRESHET_CONCAT(a, b) FRESHET_CONCAT_INNER(a, b)
#define FRESHET_TRY_STATUS(expr)                                        \
  do {                                                                  \
    auto freshet_status = (expr);                                       \
    if (!freshet_status.ok()) return std::move(freshet_status).error(); \
  } while (false)
#define FRESHET_TRY_BIND(decl, expr)                                     \
  auto FRESHET_CONCAT(freshet_result_, __LINE__) = (expr);               \
  if (!FRESHET_CONCAT(freshet_result_, __LINE__).ok())                   \
    return std::move(FRESHET_CONCAT(freshet_result_, __LINE__)).error(); \
  decl = std::move(FRESHET_CONCAT(freshet_result_, __LINE__)).value()
#define FRESHET_TRY_PICK(a, b, name, ...) name
#define FRESHET_TRY(...) \
  FRESHET_TRY_PICK(__VA_ARGS__, FRESHET_TRY_BIND, FRESHET_TRY_STATUS, 0)(__VA_ARGS__)

/// Aborts when one of our own invariants is broken. Never for bytes from outside.
#define FRESHET_CHECK(condition)                                                              \
  do {                                                                                        \
    if (!(condition)) {                                                                       \
      std::fprintf(stderr, "freshet: defect: %s at %s:%d\n", #condition, __FILE__, __LINE__); \
      std::abort();                                                                           \
    }                                                                                         \
  } while (false)
