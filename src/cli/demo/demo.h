// `freshet demo`: the whole thing on this machine, on real conversations, with nothing to
// configure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <CLI/CLI.hpp>

namespace freshet {

struct DemoOptions {
  std::string postgres_dir;  ///< Holds bin/, lib/ and share/ of a PostgreSQL 18 with pgvector.
  std::string model_dir;     ///< Holds wordllama's weights/ and tokenizers/.
  std::string data_file;     ///< The conversations, as one JSON file.
  std::string server_user;   ///< Who runs the servers when we are root.
  std::uint32_t seconds = 30;
  std::uint32_t rate = 800;  ///< Row changes per second.
  bool is_forever = false;
  std::uint32_t history_messages = 50'000;
  std::uint16_t port = 0;  ///< Of the source; the destination takes the next one. 0: free ones.
  std::uint64_t seed = 1;
  bool is_plain = false;
  std::string tamper;  ///< "value" or "vector": changes one before comparing (for the test).
};

/// Runs the demo; returns the exit code: 0 only if source and destination are equal.
int run_demo(const DemoOptions& options);

void add_demo_command(CLI::App& app, std::function<int()>& run);

}  // namespace freshet
