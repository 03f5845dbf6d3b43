// What belongs to a table, against the server of FRESHET_TEST_PG.
#include <array>

#include <gmock/gmock.h>

#include "pg/testing/test_server.h"
#include "source/table_objects.h"

namespace freshet::source {
namespace {

using testing::ElementsAre;

class TableObjectsPgTest : public pg::testing::ServerTest {
 protected:
  /// One line each: kind, name, definition, what it refers to, and columns that it judges.
  std::vector<std::string> load(const std::string& table) {
    const auto oid = connection_->query("SELECT '" + table + "'::regclass::oid");
    EXPECT_TRUE(oid.ok()) << oid.error().describe();
    const Oid relation = oid->oid(0, 0);
    auto objects = load_objects(*connection_, {&relation, 1});
    EXPECT_TRUE(objects.ok()) << objects.error().describe();
    std::vector<std::string> lines;
    for (const TableObject& object : (*objects)[relation]) {
      std::string line = std::string{to_string(object.kind)} + "|" + object.name + "|" +
                         object.definition + "|" + object.other.table + "|";
      for (const std::int16_t attnum : object.judged)
        line += std::to_string(attnum);
      lines.push_back(line);
    }
    return lines;
  }

  /// The objects of two tables, in their order.
  std::array<std::vector<TableObject>, 2> load_both(const std::string& a, const std::string& b) {
    const auto oids =
        connection_->query("SELECT '" + a + "'::regclass::oid, '" + b + "'::regclass::oid");
    EXPECT_TRUE(oids.ok()) << oids.error().describe();
    const std::array both{oids->oid(0, 0), oids->oid(0, 1)};
    auto objects = load_objects(*connection_, both);
    EXPECT_TRUE(objects.ok()) << objects.error().describe();
    return {(*objects)[both[0]], (*objects)[both[1]]};
  }
};

TEST_F(TableObjectsPgTest, IndexesComeWithoutTheirBeginning) {
  run("CREATE SCHEMA \"odd one\"; CREATE TABLE \"odd one\".\"T\" (id int PRIMARY KEY, \"A\" text, "
      "b "
      "int);"
      "CREATE INDEX \"I \"\"x\" ON \"odd one\".\"T\" (lower(\"A\") text_pattern_ops DESC) WHERE b "
      "> "
      "0;"
      "CREATE UNIQUE INDEX pair ON \"odd one\".\"T\" USING btree (b, upper(\"A\")) INCLUDE (id)");
  EXPECT_THAT(load("\"odd one\".\"T\""),
              ElementsAre("unique_index|pair|USING btree (b, upper(\"A\")) INCLUDE (id)||123",
                          "index|I \"x|USING btree (lower(\"A\") text_pattern_ops DESC) WHERE "
                          "(b > 0)||"));
}

TEST_F(TableObjectsPgTest, ConstraintsComeInTheOrderInWhichTheyCanBeMade) {
  run("CREATE TABLE public.p (id int PRIMARY KEY, u int CONSTRAINT once UNIQUE, "
      "d int CONSTRAINT later UNIQUE DEFERRABLE, c int CONSTRAINT small CHECK (c < 9), "
      "r int4range, CONSTRAINT apart EXCLUDE USING gist (r WITH &&), "
      "self int CONSTRAINT to_self REFERENCES public.p ON DELETE SET NULL);"
      "ALTER TABLE public.p ADD CONSTRAINT odd CHECK (c <> 3) NOT VALID");
  EXPECT_THAT(
      load("public.p"),
      ElementsAre("unique_index|once|USING btree (u)||2",
                  "constraint|apart|EXCLUDE USING gist (r WITH &&)||5",
                  "constraint|later|UNIQUE (d) DEFERRABLE||3",
                  "constraint|odd|CHECK ((c <> 3)) NOT VALID||4",
                  "constraint|once|UNIQUE USING INDEX once||2",
                  "constraint|small|CHECK ((c < 9)) NOT VALID||4", "validation|small|||4",
                  "foreign_key|to_self|FOREIGN KEY (self) REFERENCES public.p(id) ON DELETE SET "
                  "NULL NOT VALID|p|16",
                  "validation|to_self||p|16"));
}

TEST_F(TableObjectsPgTest, SequencesComeBeforeWhatUsesThem) {
  run("CREATE SEQUENCE public.shared CYCLE;"
      "CREATE TABLE public.s (id int GENERATED ALWAYS AS IDENTITY (START WITH 5), n serial, "
      "m int DEFAULT nextval('public.shared'), t text DEFAULT 'it''s'::text, "
      "g int GENERATED ALWAYS AS (1) STORED);"
      "ALTER TABLE public.s REPLICA IDENTITY FULL;"
      "INSERT INTO public.s (m) VALUES (1), (2)");
  const std::string options = "MINVALUE 1 MAXVALUE 2147483647 ";
  EXPECT_THAT(
      load("public.s"),
      ElementsAre("sequence|n|AS integer INCREMENT BY 1 " + options +
                      "START WITH 1 CACHE 1 NO CYCLE|s_n_seq|",
                  "sequence||AS bigint INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 "
                  "START WITH 1 CACHE 1 CYCLE|shared|",
                  "identity|id|SEQUENCE NAME public.s_id_seq INCREMENT BY 1 " + options +
                      "START WITH 5 CACHE 1 NO CYCLE|s_id_seq|",
                  "sequence_value|id|6|s_id_seq|", "sequence_value|n|2|s_n_seq|",
                  "default|m|nextval('public.shared'::regclass)||",
                  "default|n|nextval('public.s_n_seq'::regclass)||", "default|t|'it''s'::text||",
                  "replica_identity||FULL||"));
}

TEST_F(TableObjectsPgTest, ATableThatUsesTheSequenceOfAnotherHasIt) {
  run("CREATE TABLE public.orders (n serial);"
      "CREATE TABLE public.archive (LIKE public.orders INCLUDING DEFAULTS)");
  const auto [archive, orders] = load_both("public.archive", "public.orders");
  for (const auto* objects : {&archive, &orders}) {
    ASSERT_EQ(objects->size(), 2U);
    EXPECT_EQ((*objects)[0].kind, ObjectKind::sequence);
    EXPECT_EQ((*objects)[0].other.table, "orders_n_seq");
  }
  EXPECT_EQ(archive[0].name, "");
  EXPECT_EQ(orders[0].name, "n");
}

TEST_F(TableObjectsPgTest, AForeignKeyJudgesColumnsOfItsOwnTable) {
  run("CREATE TABLE public.p (a int, b int, id int PRIMARY KEY);"
      "CREATE TABLE public.c (id int PRIMARY KEY, up int CONSTRAINT up REFERENCES public.p)");
  const auto [objects, other] = load_both("public.c", "public.p");
  ASSERT_EQ(objects.size(), 2U);
  for (const TableObject& object : objects)
    EXPECT_THAT(object.judged, ElementsAre(2));
}

TEST_F(TableObjectsPgTest, APartitionedTableHasThoseOfItsRoot) {
  run("CREATE TABLE public.root (id int, k int, PRIMARY KEY (id), CONSTRAINT k_once UNIQUE (id, "
      "k)) "
      "PARTITION BY RANGE (id);"
      "CREATE TABLE public.leaf PARTITION OF public.root FOR VALUES FROM (0) TO (10);"
      "CREATE INDEX root_k ON public.root (k); CREATE INDEX leaf_k ON public.leaf (k DESC)");
  EXPECT_THAT(load("public.root"), ElementsAre("unique_index|k_once|USING btree (id, k)||12",
                                               "index|root_k|USING btree (k)||",
                                               "constraint|k_once|UNIQUE USING INDEX k_once||12"));
}

}  // namespace
}  // namespace freshet::source
