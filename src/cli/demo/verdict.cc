#include "cli/demo/verdict.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/try.h"

namespace freshet {
namespace {

constexpr float kVectorTolerance = 1e-5F;
constexpr int kVectorBatch = 2000;

struct ComparedTable {
  const char* name;
  const char* columns;
};

constexpr std::array<ComparedTable, 3> kTables{{
    {"calls", "id, started_at, ended_at, state, prompt, message_count"},
    {"messages", "id, call_id, sender, sent_at, content"},
    {"agent_runs", "id, call_id, kind, steps, cost, details, updated_at"},
}};

Status pipe(pg::Connection& from,
            std::string_view out_sql,
            pg::Connection& to,
            std::string_view in_sql) {
  FRESHET_TRY(from.start_copy_out(out_sql));
  FRESHET_TRY(to.start_copy_in(in_sql));
  while (true) {
    FRESHET_TRY(const auto chunk, from.next_copy_chunk());
    if (!chunk) break;
    FRESHET_TRY(to.put_copy_data(*chunk));
  }
  FRESHET_TRY(const std::uint64_t rows, to.end_copy_in());
  static_cast<void>(rows);
  return ok_status();
}

Result<TableVerdict> compare_table(pg::Connection& source,
                                   pg::Connection& destination,
                                   const ComparedTable& table) {
  const std::string here = fmt::format("pg_temp.source_{}", table.name);
  FRESHET_TRY(destination.execute(
      fmt::format("CREATE TEMP TABLE source_{0} AS SELECT {1} FROM public.{0} LIMIT 0", table.name,
                  table.columns)));
  FRESHET_TRY(
      pipe(source,
           fmt::format("COPY public.{} ({}) TO STDOUT (FORMAT binary)", table.name, table.columns),
           destination, fmt::format("COPY {} FROM STDIN (FORMAT binary)", here)));
  TableVerdict verdict;
  verdict.table = table.name;
  FRESHET_TRY(const pg::Rows rows,
              destination.query(fmt::format(
                  "WITH here AS (SELECT {1} FROM public.{0}) SELECT (SELECT count(*) FROM {2}), "
                  "(SELECT count(*) FROM (TABLE {2} EXCEPT ALL TABLE here) AS missing), "
                  "(SELECT count(*) FROM (TABLE here EXCEPT ALL TABLE {2}) AS extra)",
                  table.name, table.columns, here)));
  verdict.rows = rows.unsigned_integer(0, 0);
  verdict.missing = rows.unsigned_integer(0, 1);
  verdict.extra = rows.unsigned_integer(0, 2);
  return verdict;
}

bool is_close(std::string_view text, std::span<const float> wanted) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return false;
  const char* at = text.data() + 1;
  const char* const end = text.data() + text.size() - 1;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    float found = 0;
    const auto [next, failure] = std::from_chars(at, end, found);
    if (failure != std::errc{} || std::fabs(found - wanted[i]) > kVectorTolerance) return false;
    const bool is_last = i + 1 == wanted.size();
    if (is_last) return next == end;
    if (next == end || *next != ',') return false;
    at = next + 1;
  }
  return at == end;
}

// The texts come from the source's own rows, copied next to the vectors by compare_table().
Status compare_vectors(pg::Connection& destination, Embedder& embedder, Verdict& verdict) {
  FRESHET_TRY(const std::size_t width, embedder.dimensions());
  FRESHET_TRY(const pg::Rows lacking,
              destination.query(
                  "SELECT count(*) FROM pg_temp.source_messages JOIN public.messages USING (id) "
                  "WHERE source_messages.content <> '' AND embedding IS NULL"));
  verdict.texts_without_vector = lacking.unsigned_integer(0, 0);
  FRESHET_TRY(destination.execute(
      "BEGIN; DECLARE vectors NO SCROLL CURSOR FOR SELECT source_messages.content, "
      "embedding::text FROM pg_temp.source_messages JOIN public.messages USING (id) "
      "WHERE source_messages.content <> '' AND embedding IS NOT NULL"));
  std::vector<float> wanted;
  std::vector<std::string_view> texts;
  while (true) {
    FRESHET_TRY(const pg::Rows rows,
                destination.query(fmt::format("FETCH {} FROM vectors", kVectorBatch)));
    if (rows.rows() == 0) break;
    texts.clear();
    for (int row = 0; row < rows.rows(); ++row)
      texts.push_back(rows.text(row, 0));
    wanted.resize(texts.size() * width);
    FRESHET_TRY(embedder.embed(texts, wanted));
    for (int row = 0; row < rows.rows(); ++row) {
      const std::span<const float> vector(wanted.data() + static_cast<std::size_t>(row) * width,
                                          width);
      ++verdict.vectors_checked;
      if (!is_close(rows.text(row, 1), vector)) ++verdict.vectors_wrong;
    }
  }
  return destination.execute("COMMIT");
}

}  // namespace

bool Verdict::is_equal() const {
  return texts_without_vector == 0 && vectors_wrong == 0 &&
         std::all_of(tables.begin(), tables.end(), [](const TableVerdict& table) {
           return table.missing == 0 && table.extra == 0;
         });
}

Result<Verdict> compare(pg::Connection& source, pg::Connection& destination, Embedder& embedder) {
  Verdict verdict;
  FRESHET_TRY(destination.execute("SET work_mem = '256MB'; SET temp_buffers = '64MB'"));
  for (const ComparedTable& table : kTables) {
    FRESHET_TRY(TableVerdict found, compare_table(source, destination, table));
    verdict.tables.push_back(std::move(found));
  }
  FRESHET_TRY(compare_vectors(destination, embedder, verdict));
  return verdict;
}

Status tamper(pg::Connection& destination, const std::string& what) {
  if (what == "value") {
    return destination.execute(
        "UPDATE public.messages SET content = content || '.' "
        "WHERE id = (SELECT min(id) FROM public.messages)");
  }
  return destination.execute(
      "UPDATE public.messages SET embedding = embedding OPERATOR(public.-) embedding "
      "WHERE id = (SELECT min(id) FROM public.messages WHERE embedding IS NOT NULL)");
}

}  // namespace freshet
