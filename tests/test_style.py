"""The style's rules hold, and the check that says so sees what it should."""

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location(
    "style_check", Path(__file__).parent / "style" / "check.py"
)
check = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check)


def test_tree_follows_the_style():
    assert check.check_tree() == []


@pytest.mark.parametrize(
    "file, included",
    [
        ("src/core/router.cc", '"source/slot.h"'),
        ("src/base/log.cc", '"types/oid.h"'),
        ("src/state/store.cc", '"source/slot.h"'),
        ("src/destinations/postgres/writer.cc", '"core/router.h"'),
        ("src/destinations/postgres/writer.cc", '"destinations/jsonl/writer.h"'),
        ("src/destinations/jsonl/writer.cc", '"pg/connection.h"'),
        ("src/pg/connection.cc", '"source/slot.h"'),
        ("src/pipeline/lane.cc", '"config/config.h"'),
        ("src/base/log.cc", '"log.h"'),
        ("include/freshet/result.h", '"base/arena.h"'),
        ("include/freshet/result.h", "<fmt/format.h>"),
    ],
)
def test_an_include_that_points_up_or_aside_is_a_problem(file, included):
    assert check.include_problem(file, included)


@pytest.mark.parametrize(
    "file, included",
    [
        ("src/source/slot.cc", '"core/router.h"'),
        ("src/destinations/postgres/writer.cc", '"destinations/postgres/schema.h"'),
        ("src/destinations/postgres/writer.cc", '"destinations/postgres/sql.h"'),
        ("src/destinations/postgres/writer.cc", '"pg/connection.h"'),
        ("src/destinations/registry.cc", '"destinations/jsonl/writer.h"'),
        ("src/cli/main.cc", '"config/config.h"'),
        ("src/source/slot.cc", "<libpq-fe.h>"),
        ("include/freshet/result.h", "<string_view>"),
    ],
)
def test_an_include_that_points_down_is_none(file, included):
    assert check.include_problem(file, included) is None


def test_the_pure_layers_know_no_clock_and_no_thread():
    text = "#include <thread>\nauto t = std::chrono::steady_clock::now();\n// _clock::now()\n"
    assert [line for line, _ in check.check_purity("src/core/router.cc", text)] == [1, 2]
    assert check.check_purity("src/core/router_test.cc", text) == []
    assert check.check_purity("src/base/bounded_queue.h", text) == []


def test_functions_are_found_with_their_lengths():
    text = """
namespace freshet {
struct Options { int a = 1; std::vector<int> b{1, 2}; };
class Lane final : public Base {
 public:
  explicit Lane(Options options = {})
      : a_{options.a}, b_(make(options)) {
    start();
  }
  int size() const { return 1; }
};
const char* text() { return "} {"; }
template <typename T>
auto run(T value) {
  if (value) {
    return [] { return 1; };
  }
}
}  // namespace freshet
"""
    found = [(f.name, f.line, f.line_count) for f in check.cpp_functions(text)]
    assert found == [("Lane", 6, 4), ("size", 10, 1), ("text", 12, 1), ("run", 13, 6)]


def test_long_functions_and_files_are_problems():
    body = "  call();\n" * 69
    assert check.check_cpp_sizes("void f() {\n" + body + "}\n")
    assert not check.check_cpp_sizes("void f() {\n" + body[10:] + "}\n")
    assert check.check_file("src/base/log.sql", "--\n" * 801)


@pytest.mark.parametrize("name", ["src/base/utils.h", "src/misc/a.cc", "src/core/lane_manager.cc"])
def test_names_that_say_nothing_are_problems(name):
    assert check.check_name(name)


def test_todo_and_machine_paths():
    assert check.check_todos("// TODO: fix\n")
    assert not check.check_todos("// TODO: read the origin of streamed transactions too.\n")
    assert check.check_machine_paths("cp /wo" + "rk/main/x .\n")
    assert not check.check_machine_paths("see docs/network/roots\n")
