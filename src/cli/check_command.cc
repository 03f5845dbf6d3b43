// freshet check: every problem at once, each with what mends it.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>

#include <fmt/format.h>

#include "base/error_policy.h"
#include "cli/command.h"
#include "cli/pipeline_arguments.h"
#include "cli/report.h"
#include "ops/check/check.h"

namespace freshet {
namespace {

struct CheckOptions {
  PipelineArguments pipeline;
  bool is_json = false;
};

NoteKind note_of(ops::Severity severity) {
  switch (severity) {
    case ops::Severity::error:
      return NoteKind::error;
    case ops::Severity::warning:
      return NoteKind::warning;
    case ops::Severity::info:
      return NoteKind::info;
  }
  return NoteKind::info;
}

void print_finding(const ops::Finding& finding) {
  const bool is_info = finding.severity == ops::Severity::info;
  std::string text = fmt::format("{}{}", is_info ? "info: " : "", finding.what);
  if (!finding.where.empty()) text += fmt::format("\n  where: {}", finding.where);
  if (!finding.fix.empty()) text += fmt::format("\n  fix: {}", finding.fix);
  print_note(note_of(finding.severity), text);
}

void print_findings(const ops::Findings& findings) {
  using ops::Area;
  using ops::Severity;
  for (const Area area :
       {Area::source, Area::tables, Area::destination, Area::embedder, Area::state}) {
    bool has_head = false;
    for (const Severity severity : {Severity::error, Severity::warning, Severity::info}) {
      for (const ops::Finding& finding : findings.all()) {
        if (finding.area != area || finding.severity != severity) continue;
        if (!has_head) print_note(NoteKind::info, fmt::format("\n{}", to_string(area)));
        has_head = true;
        print_finding(finding);
      }
    }
  }
  const std::size_t errors = findings.count(Severity::error);
  const std::size_t warnings = findings.count(Severity::warning);
  print_note(NoteKind::info,
             errors == 0 ? fmt::format("\nready to run ({} warnings)", warnings)
                         : fmt::format("\n{} errors, {} warnings: not ready", errors, warnings));
}

int check(const CheckOptions& options) {
  const std::optional<PipelineConfig> config = load_pipeline(options.pipeline);
  if (!config) return static_cast<int>(ExitCode::usage);
  const ops::Findings findings = ops::check_pipeline(*config);
  if (options.is_json) {
    const std::string json = ops::to_json(config->pipeline, findings);
    std::fwrite(json.data(), 1, json.size(), stdout);
  } else {
    print_findings(findings);
  }
  return static_cast<int>(findings.has_errors() ? ExitCode::preflight : ExitCode::done);
}

}  // namespace

void add_check_command(CLI::App& app, CommandChoice& choice) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command =
      app.add_subcommand("check", "look for every problem beforehand; changes nothing");
  add_pipeline_arguments(*command, options->pipeline);
  command->add_flag("--json", options->is_json, "findings as JSON on stdout");
  command->callback([&choice, options] { choice.run = [options] { return check(*options); }; });
}

}  // namespace freshet
