// The demo's course: servers, history, freshet, traffic, measuring, comparing, searching.
#include "cli/demo/demo.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include <fmt/format.h>

#include "base/log.h"
#include "base/try.h"
#include "cli/demo/conversations.h"
#include "cli/demo/engine.h"
#include "cli/demo/lag_poller.h"
#include "cli/demo/private_server.h"
#include "cli/demo/report_page.h"
#include "cli/demo/traffic.h"
#include "cli/demo/verdict.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "embedders/static_model/static_model.h"
#include "transforms/mask/keyed_hash.h"

namespace freshet {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::minutes kCopyTimeout{15};
constexpr std::chrono::minutes kCatchUpTimeout{5};
constexpr std::chrono::milliseconds kLook{100};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Demo {
 public:
  Demo(const DemoOptions& options, std::stop_token stop)
      : options_(options), stop_(std::move(stop)) {}

  Result<DemoReport> run() {
    FRESHET_TRY(embedder_, open_static_model({.directory = options_.model_dir}));
    FRESHET_TRY(start_servers());
    FRESHET_TRY(load());
    FRESHET_TRY(start_engine());
    FRESHET_TRY(wait_for_copy());
    FRESHET_TRY(measure());
    FRESHET_TRY(finish());
    return report_;
  }

  bool is_stopped() const { return stop_.stop_requested() && !options_.is_forever; }

 private:
  Status start_servers() {
    FRESHET_TRY(scratch_, ScratchDirectory::make());
    FRESHET_TRY(const Secret password, generate_mask_key());
    FRESHET_TRY(const std::uint16_t first, choose_port(0));
    FRESHET_TRY(const std::uint16_t second, choose_port(1));
    const std::string passfile = scratch_->path() + "/pgpass";
    std::ofstream(passfile) << "";
    ::chmod(passfile.c_str(), 0600);
    std::ofstream(passfile) << "127.0.0.1:*:*:postgres:" << password.reveal() << "\n";
    ::setenv("PGPASSFILE", passfile.c_str(), 1);
    say("starting two private PostgreSQL servers on ports {} and {}", first, second);
    PrivateServer::Options server{.name = "source",
                                  .postgres_dir = options_.postgres_dir,
                                  .parent_dir = scratch_->path(),
                                  .user = options_.server_user,
                                  .password = password.reveal(),
                                  .port = first};
    FRESHET_TRY(source_server_, PrivateServer::start(server));
    server.name = "destination";
    server.port = second;
    FRESHET_TRY(destination_server_, PrivateServer::start(server));
    FRESHET_TRY(source_, pg::Connection::open(
                             {.url = source_server_->url(), .application_name = "freshet demo"}));
    FRESHET_TRY(destination_, pg::Connection::open({.url = destination_server_->url(),
                                                    .application_name = "freshet demo"}));
    return destination_->execute("CREATE EXTENSION vector SCHEMA public");
  }

  Result<std::uint16_t> choose_port(std::uint16_t offset) const {
    if (options_.port == 0) return find_free_port();
    const auto port = static_cast<std::uint16_t>(options_.port + offset);
    if (is_port_free(port)) return port;
    return Error{ErrorKind::config, "the port is taken"}
        .with("port", port)
        .fix("name another one with --port, or leave it out: the demo then finds free ones");
  }

  Status load() {
    say("reading the conversations");
    FRESHET_TRY(conversations_, load_conversations(options_.data_file));
    FRESHET_TRY(report_.history_rows, load_history(*source_, conversations_,
                                                   options_.history_messages, next_conversation_));
    say("{} rows of history are in the source", report_.history_rows);
    traffic_ = std::make_unique<Traffic>(Traffic::Options{.url = source_server_->url(),
                                                          .conversations = &conversations_,
                                                          .first = next_conversation_,
                                                          .next_message_id = 1'000'000,
                                                          .rate = options_.rate,
                                                          .seed = options_.seed});
    return traffic_->start();
  }

  Status start_engine() {
    const std::string config = scratch_->path() + "/pipeline.yaml";
    std::ofstream file(config);
    file << fmt::format(
        R"(pipeline: demo
source:
  url: {source}
  tables: [public.calls, public.messages, public.agent_runs]
state: sqlite:{directory}/state/demo.db
embedders:
  local: {{type: static, model: wordllama-256, path: "{model}"}}
transforms:
  - {{table: public.messages, embed: {{from: content, into: embedding, with: local}}}}
destinations:
  vectors: {{url: "{destination}", vector_index: {{m: 8, ef_construction: 32}}}}
)",
        fmt::arg("source", source_server_->url()), fmt::arg("directory", scratch_->path()),
        fmt::arg("model", options_.model_dir), fmt::arg("destination", destination_server_->url()));
    file.close();
    say("starting freshet with {}", config);
    engine_started_ = Clock::now();
    FRESHET_TRY(engine_, Engine::start({.config_file = config,
                                        .report_file = scratch_->path() + "/report.json",
                                        .is_plain = options_.is_plain}));
    poller_ = std::make_unique<LagPoller>(destination_server_->url());
    return ok_status();
  }

  // Everything that can go wrong while we wait.
  Status look() {
    FRESHET_TRY(engine_->check());
    FRESHET_TRY(traffic_->status());
    if (poller_) FRESHET_TRY(poller_->status());
    report_.peak_kib = std::max(report_.peak_kib, engine_->peak_kib());
    if (is_stopped()) return Error{ErrorKind::cancelled, "the demo was stopped"};
    return ok_status();
  }

  Result<bool> has_copied() {
    FRESHET_TRY(const pg::Rows there,
                destination_->query("SELECT to_regclass('freshet.tables') IS NOT NULL"));
    if (!there.boolean(0, 0)) return false;
    FRESHET_TRY(const pg::Rows rows,
                destination_->query(
                    "SELECT count(*) FILTER (WHERE phase = 'streaming') FROM freshet.tables"));
    return rows.integer(0, 0) == 3;
  }

  Result<bool> has_index() {
    FRESHET_TRY(
        const pg::Rows rows,
        destination_->query(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_index JOIN pg_catalog.pg_class c ON c.oid = "
            "indexrelid JOIN pg_catalog.pg_am a ON a.oid = c.relam WHERE a.amname = 'hnsw' AND "
            "indisvalid AND indisready)"));
    return rows.boolean(0, 0);
  }

  Status wait_for_copy() {
    const auto deadline = Clock::now() + kCopyTimeout;
    bool is_copied = false;
    while (true) {
      FRESHET_TRY(look());
      if (!is_copied) {
        FRESHET_TRY(is_copied, has_copied());
        if (is_copied) {
          report_.copy_seconds = seconds_since(engine_started_);
          FRESHET_TRY(poller_->start());
        }
      } else {
        FRESHET_TRY(const bool is_indexed, has_index());
        if (is_indexed) break;
      }
      if (Clock::now() > deadline)
        return Error{ErrorKind::internal, "the copy did not end in 15 minutes"};
      std::this_thread::sleep_for(kLook);
    }
    report_.ready_seconds = seconds_since(engine_started_);
    return ok_status();
  }

  Status measure() {
    keep(before_);
    const std::uint64_t changes_before = traffic_->changes();
    const auto started = Clock::now();
    while (options_.is_forever || seconds_since(started) < options_.seconds) {
      FRESHET_TRY(look());
      if (stop_.stop_requested()) break;
      if (options_.is_forever) forget_old();
      std::this_thread::sleep_for(kLook);
    }
    report_.measured_seconds = seconds_since(started);
    traffic_->stop();
    FRESHET_TRY(traffic_->status());
    report_.changes = traffic_->changes() - changes_before;
    keep(measured_);
    return wait_until_caught_up();
  }

  void keep(std::vector<CommittedStep>& into) {
    for (CommittedStep& transaction : traffic_->take_committed()) {
      last_steps_[transaction.client - 1] = transaction.step;
      into.push_back(std::move(transaction));
    }
  }

  // A demo that goes on for days must not keep every transaction: the last ones are measured.
  void forget_old() {
    keep(measured_);
    constexpr std::size_t kKept = 500'000;
    if (measured_.size() > 2 * kKept) measured_.erase(measured_.begin(), measured_.end() - kKept);
  }

  Status wait_until_caught_up() {
    const auto started = Clock::now();
    while (!poller_->has_seen(last_steps_)) {
      FRESHET_TRY(engine_->check());
      FRESHET_TRY(poller_->status());
      if (Clock::now() - started > kCatchUpTimeout) {
        return Error{ErrorKind::internal, "the destination did not catch up in 5 minutes"};
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    report_.catch_up_seconds = seconds_since(started);
    poller_->stop();
    return ok_status();
  }

  Status finish() {
    report_.peak_kib = std::max(report_.peak_kib, engine_->peak_kib());
    FRESHET_TRY(engine_->stop());
    say("comparing source and destination");
    FRESHET_TRY(report_.lag, measure_lag(*source_, measured_, *poller_));
    FRESHET_TRY(report_.engine, read_engine_report(scratch_->path() + "/report.json"));
    if (!options_.tamper.empty()) FRESHET_TRY(tamper(*destination_, options_.tamper));
    FRESHET_TRY(report_.verdict, compare(*source_, *destination_, *embedder_));
    FRESHET_TRY(report_.searches, search(*destination_, *embedder_));
    return ok_status();
  }

  template <typename... Arguments>
  static void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::print(stderr, "{}\n", fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  const DemoOptions& options_;
  std::stop_token stop_;
  DemoReport report_;
  std::unique_ptr<Embedder> embedder_;
  std::unique_ptr<ScratchDirectory> scratch_;  // removed last
  std::unique_ptr<PrivateServer> source_server_;
  std::unique_ptr<PrivateServer> destination_server_;
  std::unique_ptr<pg::Connection> source_;
  std::unique_ptr<pg::Connection> destination_;
  std::vector<Conversation> conversations_;
  std::size_t next_conversation_ = 0;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Traffic> traffic_;
  std::unique_ptr<LagPoller> poller_;
  Clock::time_point engine_started_;
  std::vector<CommittedStep> before_;
  std::vector<CommittedStep> measured_;
  std::array<std::uint64_t, kClients> last_steps_{};
};

}  // namespace

int run_demo(const DemoOptions& options) {
  const SignalWatch signals;
  Demo demo(options, signals.token());
  const Result<DemoReport> report = demo.run();
  if (!report.ok()) {
    if (report.error().kind() == ErrorKind::cancelled) return 0;
    return fail_with(report.error());
  }
  fmt::print("{}", render(*report, options));
  return report->verdict.is_equal() ? 0 : 1;
}

}  // namespace freshet
