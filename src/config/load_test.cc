// Configurations that are wrong, and what is said about them.
#include "config/load.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/key.h"
#include "config/reference_page.h"

namespace freshet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::optional<std::string> variable(const std::string& name) {
  if (name == "KEY") return "s3cret";
  if (name == "HOSTNAME_OF_DB") return "db";
  if (name == "FRESHET_MASK_KEY" || name == "OPENAI_API_KEY") return "value";
  return std::nullopt;
}

std::vector<std::string> problems_of(const std::string& text) {
  std::vector<std::string> lines;
  for (const ConfigProblem& problem : parse_config(text, variable).problems) {
    lines.push_back(to_string(problem, "p.yaml"));
  }
  return lines;
}

constexpr const char* kMinimal =
    "pipeline: p\n"
    "source: {url: 'postgresql://u@h/d', tables: [a]}\n"
    "destinations: {d: {url: 'null:'}}\n";

TEST(LoadConfig, TakesTheMinimum) {
  const LoadedConfig loaded = parse_config(kMinimal, variable);
  EXPECT_TRUE(loaded.ok());
  EXPECT_THAT(loaded.problems, SizeIs(0));
  EXPECT_EQ(loaded.config.source.tables.at(0).name, (TableName{"public", "a"}));
  EXPECT_EQ(loaded.config.source.copy.connections, 4U);
  EXPECT_EQ(default_object_name(loaded.config), "freshet_p");
}

TEST(LoadConfig, TakesTheExampleOfTheReferencePage) {
  const LoadedConfig loaded = parse_config(std::string{example_config()}, variable);
  for (const ConfigProblem& problem : loaded.problems)
    ADD_FAILURE() << to_string(problem, "");
  const PipelineConfig& config = loaded.config;
  EXPECT_EQ(config.pipeline, "support_ai");
  ASSERT_THAT(config.source.tables, SizeIs(3));
  EXPECT_THAT(config.source.tables[1].columns,
              ElementsAre("id", "call_id", "tenant_id", "content", "sent_at"));
  EXPECT_EQ(config.source.tables[1].where, "tenant_id = 42");
  EXPECT_EQ(config.source.memory_bytes_max, std::size_t{64} << 20);
  EXPECT_EQ(config.embedders.at("small").timeout, std::chrono::seconds{30});
  EXPECT_EQ(config.embedders.at("small").api_key, "value");
  ASSERT_THAT(config.transforms, SizeIs(2));
  EXPECT_EQ(config.transforms[0].embed->with, "local");
  EXPECT_EQ(config.transforms[1].mask.at("phone"), MaskMethod::hash);
  ASSERT_THAT(config.destinations, SizeIs(2));
  EXPECT_TRUE(config.destinations[0].vector_index.is_wanted);
}

TEST(LoadConfig, DefaultsOfTheDefinitionsAreThoseOfTheTypes) {
  const std::string text =
      "pipeline: p\n"
      "source: {url: 'postgresql://u@h/d', tables: [a], publish_via_partition_root: true,\n"
      "  adopt_slot: false, two_phase: false, failover: false, streaming: true, origin: any, "
      "on_gap: stop, memory: "
      "64MiB, schema_changes: evolve,\n"
      "  copy: {mode: auto, connections: 4}}\n"
      "destinations: {d: {url: 'postgresql://u@h/e', on_conflict: error,\n"
      "  schema: tables,\n"
      "  vector_index: {m: 16, ef_construction: 64}}}\n";
  const PipelineConfig given = parse_config(text, variable).config;
  const PipelineConfig plain = parse_config(kMinimal, variable).config;
  EXPECT_EQ(given.source.publishes_via_root, plain.source.publishes_via_root);
  EXPECT_EQ(given.source.adopts_slot, plain.source.adopts_slot);
  EXPECT_EQ(given.source.is_two_phase, plain.source.is_two_phase);
  EXPECT_EQ(given.source.is_failover, plain.source.is_failover);
  EXPECT_EQ(given.source.on_gap, plain.source.on_gap);
  EXPECT_EQ(given.source.schema_changes, plain.source.schema_changes);
  EXPECT_EQ(given.source.is_streaming, plain.source.is_streaming);
  EXPECT_EQ(given.source.origin, plain.source.origin);
  EXPECT_EQ(given.source.memory_bytes_max, plain.source.memory_bytes_max);
  EXPECT_EQ(given.source.copy.mode, plain.source.copy.mode);
  EXPECT_EQ(given.source.copy.connections, plain.source.copy.connections);
  EXPECT_EQ(given.destinations[0].on_conflict, plain.destinations[0].on_conflict);
  EXPECT_EQ(given.destinations[0].schema, plain.destinations[0].schema);
  EXPECT_EQ(given.destinations[0].vector_index.m, plain.destinations[0].vector_index.m);
}

TEST(LoadConfig, AStaticEmbedderNeedsNoModelsName) {
  for (const char* embedder : {"{type: static}", "{type: static, path: /models/x}"}) {
    const LoadedConfig loaded =
        parse_config(std::string(kMinimal) + "embedders: {e: " + embedder + "}\n", variable);
    EXPECT_TRUE(loaded.ok()) << embedder;
    EXPECT_EQ(loaded.config.embedders.at("e").model, "") << embedder;
  }
}

struct Case {
  const char* name;
  std::string text;
  std::vector<std::string> problems;
};

class BadConfig : public ::testing::TestWithParam<Case> {};

TEST_P(BadConfig, IsReportedWithItsPlace) {
  EXPECT_THAT(problems_of(GetParam().text), ::testing::ElementsAreArray(GetParam().problems));
  EXPECT_FALSE(parse_config(GetParam().text, variable).ok());
}

std::string with_source(const std::string& lines) {
  return "pipeline: p\ndestinations: {d: {url: 'null:'}}\nsource:\n  url: postgresql://u@h/d\n" +
         lines;
}

std::string with_transform(const std::string& transform) {
  return with_source("  tables: [calls, {name: t, columns: [id, body]}]\n") +
         "embedders: {local: {type: static, model: m}}\ntransforms:\n  - " + transform + "\n";
}

const Case kCases[] = {
    {"Empty",
     "",
     {"p.yaml:1:1: the file is empty; start with `pipeline: NAME`; docs/config.md has "
      "a complete example"}},
    {"NoMapping",
     "- a\n",
     {"p.yaml:1:1: expected a mapping at the top, found a list; start with `pipeline: NAME`; "
      "docs/config.md has a complete example"}},
    {"Junk",
     std::string("\x7f"
                 "ELF\x02",
                 5),
     {"p.yaml:1:1: not a text file: it has the control byte 0x7f; give a YAML file"}},
    {"Nul",
     std::string("pipeline: p\nx: \0y", 17),
     {"p.yaml:2:4: not a text file: it has the control byte 0x00; give a YAML file"}},
    {"BadUtf8",
     "pipeline: \"\xff\"\n",
     {"p.yaml:1:12: not UTF-8: byte 0xff is out of place; save the file as UTF-8"}},
    {"Syntax",
     "pipeline: [a\nsource: }\n",
     {"p.yaml:2:7: not valid YAML: end of sequence flow not found"}},
    {"UnquotedVariableInBraces",
     "pipeline: p\nsource: {url: ${KEY}, tables: [a]}\n",
     {"p.yaml:2:16: not valid YAML: end of map flow not found; inside { } or [ ], quote variables: "
      "'${NAME}'"}},
    {"UnknownKey",
     with_source("  tables: [a]\n  publicatoins: [p]\n"),
     {"p.yaml:6:3: source.publicatoins: there is no such key; did you mean `publications`?"}},
    {"UnknownKeyFarFromAll",
     with_source("  tables: [a]\n  copy: {zzzzzz: 1}\n"),
     {"p.yaml:6:10: source.copy.zzzzzz: there is no such key; known here: mode, connections"}},
    {"Twice",
     with_source("  tables: [a]\n  tables: [b]\n"),
     {"p.yaml:6:3: tables: this key comes twice; keep one of them"}},
    {"WrongTypes",
     with_source("  tables: [a, [b]]\n  copy: fast\n  streaming: maybe\n"),
     {"p.yaml:5:15: source.tables[1]: expected a table's name or a mapping, found a list",
      "p.yaml:6:9: source.copy: expected a mapping, found a single value",
      "p.yaml:7:14: source.streaming: expected true or false"}},
    {"OutOfRange",
     with_source("  tables: [a]\n  copy: {connections: 65}\n  memory: 1\n"),
     {"p.yaml:6:23: source.copy.connections: out of range: 1 to 64 are possible",
      "p.yaml:7:11: source.memory: out of range: 1048576 to 68719476736 are possible"}},
    {"Overflow",
     with_source("  tables: [a]\n  copy: {connections: 99999999999999999999999}\n"),
     {"p.yaml:6:23: source.copy.connections: expected a whole number"}},
    {"Missing",
     "source: {tables: [a]}\n",
     {"p.yaml:1:1: pipeline: this key is missing; Name of the pipeline",
      "p.yaml:1:1: destinations: this key is missing; Stores to write to, by names of your choice",
      "p.yaml:1:9: source.url: this key is missing; libpq URI or connection string"}},
    {"Unset",
     with_source("  tables: [a]\n  slot: ${NO_SUCH}\n"),
     {"p.yaml:6:9: source.slot: the variable NO_SUCH is not set; export NO_SUCH=…, or write "
      "$${NO_SUCH} if the text itself is meant"}},
    {"MalformedVariable",
     with_source("  tables: [a]\n  slot: ${NO-SUCH}\n"),
     {"p.yaml:6:9: source.slot: `${` is not followed by a variable's name and `}`; write $${ for "
      "the text itself"}},
    {"NoTables",
     with_source("  origin: none\n"),
     {"p.yaml:4:3: source.tables: nothing to replicate: there are no tables and no publications; "
      "list tables under `source.tables`, or name publications"}},
    {"BadNames",
     "pipeline: My-Pipe\ndestinations: {d: {url: 'null:'}}\nsource: {url: "
     "'postgresql://h/d', slot: A, tables: ['a.b.c', a, a]}\n",
     {"p.yaml:1:11: pipeline: a pipeline's name is 1 to 40 of a-z, 0-9 and _",
      "p.yaml:3:41: source.slot: a slot's name is 1 to 63 of a-z, 0-9 and _",
      "p.yaml:3:53: source.tables[0]: not a table's name; write schema.table, quoting parts as in "
      "SQL: public.\"Odd name\"",
      "p.yaml:3:65: source.tables[2]: the table public.a is listed twice"}},
    {"UnknownEmbedder",
     with_transform("{table: calls, embed: {from: a, into: b, with: locla}}"),
     {"p.yaml:8:52: transforms[0].embed.with: there is no embedder locla; did you mean `local`?"}},
    {"UnknownTable",
     with_transform("{table: cals, mask: {a: hash}}"),
     {"p.yaml:8:13: transforms[0].table: the table public.cals is not in `source.tables`; did you "
      "mean `public.calls`?"}},
    {"UnknownColumn",
     with_transform("{table: t, mask: {boddy: hash, id: hsah}}"),
     {"p.yaml:8:23: transforms[0].mask.boddy: the column boddy is not in the table's `columns`; "
      "did you mean `body`?",
      "p.yaml:8:40: transforms[0].mask.id: expected one of hash, redact, null, last4; did you mean "
      "`hash`?"}},
    {"NeitherNorBoth",
     with_transform("{table: t}"),
     {"p.yaml:8:5: transforms[0]: has neither `embed` nor `mask`; give exactly one; a table may "
      "have several transforms"}},
    {"SecondDocument",
     std::string(kMinimal) + "---\nb: 1\n",
     {"p.yaml:5:1: the file has a second document; one file describes one pipeline"}},
    {"Destinations",
     "pipeline: p\nsource: {url: 'postgresql://h/d', tables: [a]}\ndestinations:\n"
     "  a: {url: 'postgre://x'}\n  b: {url: 'jsonl:x'}\n  c: {url: 'jsonl:x'}\n",
     {"p.yaml:4:12: destinations.a.url: no destination of this kind: postgresql://…, jsonl:PATH, "
      "jsonl:- and null: exist; did you mean `postgres:`?",
      "p.yaml:6:12: destinations.c.url: the same store as destination b; two destinations would "
      "overwrite each other"}},
    {"AdoptionOfNothing",
     with_source("  adopt_slot: true\n  start_lsn: 16-B3\n  tables: [a]\n"),
     {"p.yaml:5:15: source.adopt_slot: which slot is to be adopted?; name it in `source.slot`",
      "p.yaml:5:15: source.adopt_slot: a publication made now is unknown to the changes that the "
      "slot has kept; name one in `source.publications` that was made before the slot",
      "p.yaml:6:14: source.start_lsn: not an LSN; write it as PostgreSQL does, e.g. 16/B374D848"}},
    {"StartWithoutAdoption",
     with_source("  start_lsn: 16/B374D848\n  tables: [a]\n"),
     {"p.yaml:5:14: source.start_lsn: only an adopted slot may begin elsewhere than where it "
      "stands; add `adopt_slot: true`, or remove this key"}},
    {"ACopyThatIsNone",
     with_source("  tables: [{name: a, copy: none, copy_where: v > 1}]\n"),
     {"p.yaml:5:46: source.tables[0].copy_where: nothing of this table is copied, as its copy mode "
      "is none; remove one of the two"}},
    {"NewestOfNothing",
     "pipeline: p\nsource: {url: 'postgresql://h/d', tables: [a]}\ndestinations:\n"
     "  a: {url: 'postgresql://h/e', on_conflict: newest_wins}\n"
     "  b: {url: 'postgresql://h/f', on_conflict: skip, newest_by: updated_at}\n",
     {"p.yaml:4:45: destinations.a.on_conflict: newest by which column?; name one that each table "
      "has in `newest_by`, e.g. updated_at",
      "p.yaml:5:62: destinations.b.newest_by: only `on_conflict: newest_wins` compares rows; write "
      "it so, or remove this key"}},
    {"ConflictsOfAnotherKind",
     "pipeline: p\nsource: {url: 'postgresql://h/d', tables: [a]}\ndestinations:\n"
     "  a: {url: 'jsonl:x', on_conflict: skip}\n"
     "  b: {url: 'postgresql://h/e', on_conflict: skipp}\n",
     {"p.yaml:4:36: destinations.a.on_conflict: only a PostgreSQL destination has conflicts to "
      "answer; remove this key",
      "p.yaml:5:45: destinations.b.on_conflict: expected one of error, source_wins, "
      "newest_wins, skip, quarantine; did you mean `skip`?"}},
    {"SchemasOfAnotherKind",
     "pipeline: p\nsource: {url: 'postgresql://h/d', tables: [a]}\ndestinations:\n"
     "  a: {url: 'jsonl:x', schema: full}\n"
     "  b: {url: 'postgresql://h/e', schema: ful}\n",
     {"p.yaml:4:31: destinations.a.schema: only a PostgreSQL destination has a schema to be made; "
      "remove this key",
      "p.yaml:5:40: destinations.b.schema: expected one of tables, full; did you mean `full`?"}},
    {"State",
     std::string(kMinimal) + "state: redis:x\n",
     {"p.yaml:4:8: state: expected sqlite:PATH, postgresql://… or memory:"}},
    {"HashesWithoutASharedKey",
     with_transform("{table: t, mask: {id: hash}}") + "state: postgresql://h/d\n",
     {"p.yaml:1:1: mask_key: this key is missing: with its state in PostgreSQL the pipeline may "
      "run "
      "on any host, and `hash` masks must not depend on which; set mask_key: ${FRESHET_MASK_KEY}, "
      "equal on all hosts"}},
    {"HttpWithNothing",
     std::string(kMinimal) + "embedders: {e: {type: http}}\n",
     {"p.yaml:4:13: embedders.e.url: this key is missing: an http embedder needs its endpoint",
      "p.yaml:4:13: embedders.e.model: this key is missing: an http embedder needs its model's "
      "name"}},
    {"StaticWithUrl",
     std::string(kMinimal) + "embedders: {e: {type: static, model: m, url: 'http://x'}}\n",
     {"p.yaml:4:46: embedders.e.url: means nothing to an embedder of type static"}},
};

INSTANTIATE_TEST_SUITE_P(LoadConfig, BadConfig, ::testing::ValuesIn(kCases), [](const auto& test) {
  return std::string{test.param.name};
});

TEST(LoadConfig, AllProblemsComeAtOnce) {
  const std::vector<std::string> lines = problems_of(
      "pipline: p\nsource: {url: '${NOPE}', tables: {}}\ndestinations: [x]\nstate: 5\n");
  EXPECT_THAT(lines, SizeIs(::testing::Ge(5U)));
}

TEST(LoadConfig, WarnsOfSecretsInClearTextWithoutShowingThem) {
  const std::string text =
      "pipeline: p\nmask_key: S3cr3t-CANARY\nsource:\n  url: postgresql://u:S3cr3t-CANARY@h/d\n"
      "  tables: [a]\ndestinations: {d: {url: 'null:'}}\n"
      "state: postgresql://u:S3cr3t-CANARY@h/d\n";
  EXPECT_TRUE(parse_config(text, variable).ok());
  const std::vector<std::string> lines = problems_of(text);
  ASSERT_THAT(lines, SizeIs(3));
  for (const std::string& line : lines)
    EXPECT_THAT(line, Not(HasSubstr("CANARY")));
}

TEST(LoadConfig, VariablesAreNotExpandedTwice) {
  const auto twice = [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "${B}";
    return std::nullopt;
  };
  const LoadedConfig loaded = parse_config(std::string(kMinimal) + "mask_key: x${A}$${C}\n", twice);
  EXPECT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.config.mask_key, "x${B}${C}");
}

TEST(LoadConfig, AliasBombsCostNothing) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j)
      text += std::string(j == 0 ? "" : ", ") + "*a" + std::to_string(i - 1);
    text += "]\n";
  }
  EXPECT_FALSE(parse_config(text, variable).ok());
  EXPECT_FALSE(parse_config("a: &a [*a]\n", variable).ok());
}

TEST(LoadConfig, DeepNestingAndFloodsEndInAnError) {
  EXPECT_FALSE(parse_config(std::string(100'000, '['), variable).ok());
  std::string flood;
  for (int i = 0; i < 10'000; ++i)
    flood += "k" + std::to_string(i) + ": 1\n";
  const LoadedConfig loaded = parse_config(flood, variable);
  EXPECT_EQ(loaded.problems.size(), kProblemsMax);
  EXPECT_GE(loaded.error_count, 10'000U);
}

TEST(LoadConfig, FilesThatCannotBeReadAreNamed) {
  EXPECT_THAT(load_config("no/such.yaml", variable).problems.at(0).message,
              HasSubstr("No such file"));
  EXPECT_THAT(load_config(".", variable).problems.at(0).message, HasSubstr("directory"));
}

TEST(ConfigFromArguments, NamesThePipelineByItsAddresses) {
  const ConfigArguments arguments{
      .source = "postgresql://u:pw@h/App", .to = "null:", .tables = {"a", "s.\"B c\""}};
  const LoadedConfig loaded = config_from_arguments(arguments);
  ASSERT_TRUE(loaded.ok());
  EXPECT_THAT(loaded.config.pipeline, ::testing::StartsWith("app_"));
  EXPECT_EQ(loaded.config.source.tables.at(1).name, (TableName{"s", "B c"}));
  ConfigArguments other = arguments;
  other.source = "postgresql://u:changed@h/App";
  EXPECT_EQ(config_from_arguments(other).config.pipeline, loaded.config.pipeline);
}

TEST(ConfigFromArguments, ReportsByOption) {
  const LoadedConfig loaded = config_from_arguments({.source = "x", .to = "nul:", .name = "A"});
  std::vector<std::string> keys;
  for (const ConfigProblem& problem : loaded.problems)
    keys.push_back(problem.key);
  EXPECT_THAT(keys, ElementsAre("--name", "--source", "--to"));
}

TEST(ReferencePage, IsUpToDate) {
  std::ifstream file("docs/config.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), make_reference_page())
      << "write it anew: freshet schema --markdown > docs/config.md";
}

TEST(JsonSchema, KnowsEveryKey) {
  const std::string schema = make_json_schema();
  for (const KeyDefinition& key : key_definitions()) {
    EXPECT_THAT(schema, HasSubstr("\"" + std::string{key_name(key)} + "\""));
  }
}

}  // namespace
}  // namespace freshet
