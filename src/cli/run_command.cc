// freshet run: copy, then stream.
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/error_policy.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/display/progress_display.h"
#include "cli/pipeline_arguments.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/stats_report.h"
#include "ops/discover/discover.h"
#include "pipeline/pipeline.h"

namespace freshet {
namespace {

struct RunOptions {
  PipelineArguments pipeline;
  std::string until;
  std::string skip_lsn;
  std::string report;
  bool is_plain = false;
};

std::optional<Until> parse_until(const std::string& text) {
  if (text.empty()) return Until{};
  if (text == "caught-up") return Until{.kind = Until::Kind::caught_up};
  const std::optional<Lsn> lsn = parse_lsn(text);
  if (!lsn) return std::nullopt;
  return Until{.kind = Until::Kind::lsn, .lsn = *lsn};
}

Status run_shown(Pipeline& pipeline,
                 const SignalWatch& signals,
                 const RunOptions& options,
                 Until until) {
  const DisplayMode mode = options.is_plain ? DisplayMode::plain : detect_display_mode();
  ProgressDisplay display(mode, [&pipeline] { return pipeline.stats(); });
  Status status = pipeline.run(signals.token(), until);
  display.close();
  return status;
}

int run(const RunOptions& options) {
  const std::optional<Until> until = parse_until(options.until);
  if (!until) {
    return fail_with(Error{ErrorKind::config, "--until is neither caught-up nor an LSN"}
                         .with("until", options.until)
                         .fix("write --until caught-up, or an LSN such as 16/B374D848"));
  }
  const std::optional<Lsn> skipped =
      options.skip_lsn.empty() ? std::optional{kNoLsn} : parse_lsn(options.skip_lsn);
  if (!skipped) {
    return fail_with(Error{ErrorKind::config, "--skip-lsn is no LSN"}
                         .with("skip-lsn", options.skip_lsn)
                         .fix("give the commit_lsn that an error names, such as 16/B374D848"));
  }
  std::optional<PipelineConfig> config = load_pipeline(options.pipeline);
  if (!config) return static_cast<int>(ExitCode::usage);
  const SignalWatch signals;
  if (config->source.tables.empty() && config->source.publications.empty()) {
    Result<std::vector<TableConfig>> tables = ops::discover_tables(config->source.url);
    if (!tables.ok()) return fail_with(tables.error());
    config->source.tables = *std::move(tables);
  }
  const std::string name = config->pipeline;
  Result<std::unique_ptr<Pipeline>> pipeline = Pipeline::make(*std::move(config), *skipped);
  if (!pipeline.ok()) return fail_with(pipeline.error());
  const Status status = run_shown(**pipeline, signals, options, *until);
  if (!options.report.empty()) {
    const Status written = write_stats_report((*pipeline)->stats(), options.report);
    if (!written.ok()) log_error(LogLevel::error, "no report", written.error());
  }
  const bool is_stopped = signals.token().stop_requested();
  if (!status.ok() && !(is_stopped && is_cancelled(status))) return fail_with(status.error());
  log_info(is_stopped ? "stopped; everything read was flushed" : "done", {{"pipeline", name}});
  return static_cast<int>(ExitCode::done);
}

}  // namespace

void add_run_command(CLI::App& app, CommandChoice& choice) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "copy the tables, then stream their changes");
  add_pipeline_arguments(*command, options->pipeline);
  command->add_option("--until", options->until, "end once caught up, or once LSN is durable")
      ->type_name("caught-up|LSN");
  command
      ->add_option("--skip-lsn", options->skip_lsn,
                   "leave out the transaction with this commit LSN, once")
      ->type_name("LSN");
  command->add_option("--report", options->report, "write the run's final statistics as JSON")
      ->type_name("FILE");
  command->add_flag("--plain", options->is_plain, "log lines instead of the live display");
  command->callback([&choice, options] {
    choice.run = [&choice, options] {
      options->is_plain = options->is_plain || choice.is_log_json;
      return run(*options);
    };
  });
}

}  // namespace freshet
