// The options of `freshet demo`.
#include <memory>

#include "cli/demo/demo.h"

namespace freshet {

void add_demo_command(CLI::App& app, std::function<int()>& run) {
  auto options = std::make_shared<DemoOptions>();
  CLI::App* command = app.add_subcommand(
      "demo",
      "two private PostgreSQL servers, real conversations, embeddings, and the lag on screen");
  command->add_option("--seconds", options->seconds, "length of the measured run")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  command->add_option("--rate", options->rate, "row changes per second at the source")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_flag("--forever", options->is_forever, "go on until Ctrl-C");
  command
      ->add_option("--history", options->history_messages,
                   "messages that are there before the start")
      ->check(CLI::Range(0, 250'000))
      ->capture_default_str();
  command->add_option("--port", options->port,
                      "port of the source; the destination takes the next one");
  command->add_option("--seed", options->seed, "of the traffic")->capture_default_str();
  command->add_flag("--plain", options->is_plain, "log lines instead of the live display");
  command
      ->add_option("--postgres-dir", options->postgres_dir,
                   "PostgreSQL 18 with pgvector (bin/, lib/, share/)")
      ->envname("FRESHET_DEMO_POSTGRES")
      ->required();
  command->add_option("--model-dir", options->model_dir, "the embedding model's files")
      ->envname("FRESHET_DEMO_MODEL")
      ->required();
  command->add_option("--data", options->data_file, "the conversations (JSON)")
      ->envname("FRESHET_DEMO_DATA")
      ->required();
  command
      ->add_option("--server-user", options->server_user,
                   "who runs the servers when freshet runs as root")
      ->envname("FRESHET_DEMO_USER");
  command->add_option("--tamper", options->tamper)
      ->check(CLI::IsMember({"value", "vector"}))
      ->group("");
  command->footer("`./dev demo` installs what this needs and names the files.");
  command->callback([&run, options] { run = [options] { return run_demo(*options); }; });
}

}  // namespace freshet
