// freshet schema: the configuration's JSON Schema, and its reference page.
#include <cstdio>
#include <memory>
#include <string>

#include "cli/command.h"
#include "config/reference_page.h"

namespace freshet {

void add_schema_command(CLI::App& app, CommandChoice& choice) {
  auto is_markdown = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("schema", "print the JSON Schema of pipeline files, for editors");
  command->add_flag("--markdown", *is_markdown, "print docs/config.md instead");
  command->callback([&choice, is_markdown] {
    choice.run = [is_markdown] {
      const std::string text = *is_markdown ? make_reference_page() : make_json_schema();
      return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
    };
  });
}

}  // namespace freshet
