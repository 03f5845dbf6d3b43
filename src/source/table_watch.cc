#include "source/table_watch.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "base/try.h"
#include "freshet/arena.h"
#include "freshet/row.h"
#include "pg/array_literal.h"
#include "source/catalog.h"
#include "source/publication.h"
#include "source/sql/sql.h"
#include "types/copy_text.h"

namespace freshet::source {
namespace {

using Parameter = std::optional<std::string_view>;

std::string_view cut(std::string_view& text, char end) {
  const std::string_view head = text.substr(0, text.find(end));
  text.remove_prefix(std::min(head.size() + 1, text.size()));
  return head;
}

std::uint32_t number_of(std::string_view text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::map<std::uint32_t, WatchedHeap> read_heaps(std::string_view text) {
  std::map<std::uint32_t, WatchedHeap> heaps;
  while (!text.empty()) {
    std::string_view entry = cut(text, ' ');
    WatchedHeap& heap = heaps[number_of(cut(entry, ':'))];
    heap.relfilenode = number_of(cut(entry, ':'));
    heap.xmin = number_of(cut(entry, ':'));
    const std::string_view flags = cut(entry, ':');
    heap.was_attached = flags.find('a') != std::string_view::npos;
    heap.is_unanalysed = flags.find('t') != std::string_view::npos;
    heap.is_unlogged = flags.find('u') != std::string_view::npos;
    heap.attachments = entry;
  }
  return heaps;
}

std::map<std::uint32_t, std::string> read_labels(std::string_view text) {
  std::map<std::uint32_t, std::string> labels;
  while (!text.empty()) {
    std::string_view entry = cut(text, '\n');
    const std::uint32_t oid = number_of(cut(entry, ':'));
    labels[oid] = entry;
  }
  return labels;
}

// News that the new definition is the whole reason of.
TableNews redefined(const WatchedTable& before, const WatchedTable& now, std::string what) {
  const bool is_new = now.definition != before.definition;
  return {TableNews::Kind::redefined, std::move(what), {is_new ? now.definition : "", {}}};
}

std::string files_of(const WatchedTable& table) {
  std::string files;
  for (const auto& [oid, heap] : table.heaps)
    files += fmt::format("{}{}:{}", files.empty() ? "" : " ", oid, heap.relfilenode);
  return files;
}

bool is_partitioned(const WatchedTable& table) {
  return !table.heaps.contains(to_integer(table.relation));
}

// All that was there has been truncated by one transaction: by way of the root.
bool is_truncated_whole(const WatchedTable& before, const WatchedTable& now) {
  std::optional<std::uint32_t> xmin;
  for (const auto& [oid, then] : before.heaps) {
    const auto heap = now.heaps.find(oid);
    if (heap == now.heaps.end()) return false;
    if (!heap->second.is_unanalysed || heap->second.relfilenode == then.relfilenode) return false;
    if (xmin.value_or(heap->second.xmin) != heap->second.xmin) return false;
    xmin = heap->second.xmin;
  }
  return true;
}

// Partitions that were changed while they stood for themselves: nobody is told of that.
std::optional<TableNews> find_missed(const WatchedTable& before, const WatchedTable& now) {
  using Kind = TableNews::Kind;
  for (const auto& [oid, heap] : now.heaps) {
    const auto then = before.heaps.find(oid);
    if (then == before.heaps.end()) {
      if (heap.was_attached) return TableNews{Kind::missed, "a table became a partition of it"};
      const bool is_truncated = heap.is_unanalysed && heap.relfilenode != oid &&
                                now.definition == before.definition &&
                                !is_truncated_whole(before, now);
      if (is_partitioned(now) && is_truncated)
        return TableNews{Kind::missed, "a partition of it was truncated"};
      continue;
    }
    // What an earlier version kept lacks it.
    if (!then->second.attachments.empty() && then->second.attachments != heap.attachments)
      return TableNews{Kind::missed, "a partition of it was detached and attached again"};
  }
  return {};
}

// A heap that is of another file than before.
std::optional<TableNews> compare_heap(const WatchedTable& before,
                                      const WatchedTable& now,
                                      const WatchedHeap& then,
                                      const WatchedHeap& heap) {
  using Kind = TableNews::Kind;
  if (then.relfilenode == heap.relfilenode) return {};
  if (now.definition != before.definition) {
    TableNews news = redefined(before, now, "its rows were rewritten");
    // A partition may have been truncated as well, which nobody is told of.
    if (heap.is_unanalysed && is_partitioned(now) && !is_truncated_whole(before, now))
      news.answer.files = files_of(now);
    return news;
  }
  // A table's own TRUNCATE is streamed; a partition's is not where its root stands for it.
  if (heap.is_unanalysed) {
    if (is_partitioned(now) && !is_truncated_whole(before, now))
      return TableNews{Kind::missed, "a partition of it was truncated"};
    return {};
  }
  if (is_partitioned(now)) {
    return TableNews{Kind::suspect,
                     "a partition was written anew: by VACUUM FULL or CLUSTER nothing is lost; if "
                     "it was truncated by itself, copy the table again"};
  }
  // The server lets nobody make a table unlogged that is published by name.
  if (now.is_published_by_name) return {};
  return TableNews{Kind::suspect,
                   "the table was rewritten: by VACUUM FULL or CLUSTER nothing is "
                   "lost; if it was unlogged for a moment, copy it again"};
}

std::vector<TableNews> compare_heaps(const WatchedTable& before, const WatchedTable& now) {
  std::optional<TableNews> of_files;
  for (const auto& [oid, heap] : now.heaps) {
    const auto then = before.heaps.find(oid);
    if (then == before.heaps.end()) continue;
    auto news = compare_heap(before, now, then->second, heap);
    if (!news) continue;
    const bool says_more = !of_files || news->kind < of_files->kind ||
                           (news->kind == of_files->kind && !news->answer.files.empty());
    if (says_more) of_files = std::move(news);
  }
  std::vector<TableNews> all;
  if (of_files) all.push_back(*std::move(of_files));
  const bool lacks_one =
      std::any_of(before.heaps.begin(), before.heaps.end(),
                  [&](const auto& then) { return !now.heaps.contains(then.first); });
  if (lacks_one) {
    all.push_back(
        {TableNews::Kind::kept_rows, "a partition was dropped or detached with its rows"});
  }
  return all;
}

// "name:type:modifier" of each column, names as quote_ident() writes them.
std::vector<std::string_view> split_columns(std::string_view text) {
  std::vector<std::string_view> columns;
  while (!text.empty()) {
    bool is_quoted = false;
    std::size_t size = 0;
    for (; size < text.size() && (is_quoted || text[size] != ' '); ++size)
      is_quoted = is_quoted != (text[size] == '"');
    columns.push_back(text.substr(0, size));
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return columns;
}

struct ColumnNumbers {
  std::vector<std::uint32_t> present;
  std::set<std::uint32_t> generated;
  std::uint32_t highest = 0;  // of all that there ever were; 0 in what an earlier version kept
};

ColumnNumbers column_numbers(const WatchedTable& table) {
  ColumnNumbers numbers;
  std::string_view left = table.numbers;
  for (std::size_t i = split_columns(table.columns).size(); i > 0; --i) {
    const std::string_view entry = cut(left, ' ');
    numbers.present.push_back(number_of(entry));
    if (entry.ends_with('g')) numbers.generated.insert(numbers.present.back());
  }
  numbers.highest = number_of(left);
  return numbers;
}

std::map<std::string_view, std::uint32_t> numbers_by_column(const WatchedTable& table) {
  std::map<std::string_view, std::uint32_t> numbers;
  const ColumnNumbers known = column_numbers(table);
  auto next = known.present.begin();
  for (const std::string_view column : split_columns(table.columns))
    numbers[column] = *next++;
  return numbers;
}

// One was dropped, and another has its name and type. (Columns that exchange names live on.)
bool has_column_made_again(const WatchedTable& before, const WatchedTable& now) {
  const auto then = numbers_by_column(before);
  const auto numbers = numbers_by_column(now);
  const auto lives = [&](std::uint32_t number) {
    return std::any_of(numbers.begin(), numbers.end(),
                       [&](const auto& entry) { return entry.second == number; });
  };
  return std::any_of(numbers.begin(), numbers.end(), [&](const auto& entry) {
    const auto found = then.find(entry.first);
    return found != then.end() && found->second != entry.second && !lives(found->second);
  });
}

// Its values are plain ones from now on, and were never sent.
bool has_column_generated_no_more(const WatchedTable& before, const WatchedTable& now) {
  const ColumnNumbers numbers = column_numbers(now);
  const std::set<std::uint32_t> then = column_numbers(before).generated;
  return std::any_of(numbers.present.begin(), numbers.present.end(), [&](std::uint32_t number) {
    return then.contains(number) && !numbers.generated.contains(number);
  });
}

// One came and went before another came: what the stream announces may be the same for both.
bool may_have_column_made_twice(const WatchedTable& before, const WatchedTable& now) {
  std::uint32_t last = column_numbers(before).highest;
  if (last == 0) return false;
  for (const std::uint32_t number : column_numbers(now).present) {
    if (number > last + 1) return true;
    last = std::max(last, number);
  }
  return false;
}

std::optional<TableNews> compare_columns(const WatchedTable& before, const WatchedTable& now) {
  if (now.numbers == before.numbers) return {};
  if (has_column_generated_no_more(before, now)) {
    return TableNews{.kind = TableNews::Kind::redefined,
                     .what = "a generated column became a plain one",
                     .is_of_new_column = true};
  }
  if (!has_column_made_again(before, now) && !may_have_column_made_twice(before, now)) return {};
  TableNews news = redefined(before, now, std::string{kColumnMadeAgain});
  news.needs_capture = true;
  news.is_of_new_column = true;
  return news;
}

// Both are of the definition: who follows that has answered them if its rows are of those files
// too.
void take_in(TableNews news, std::vector<TableNews>& all) {
  const auto rewritten = std::find_if(
      all.begin(), all.end(), [&](const TableNews& other) { return other.kind == news.kind; });
  if (rewritten == all.end()) {
    all.push_back(std::move(news));
    return;
  }
  news.answer.files = rewritten->answer.files;
  news.is_of_new_column = false;
  *rewritten = std::move(news);
}

bool is_unlogged(const WatchedTable& table) {
  return std::any_of(table.heaps.begin(), table.heaps.end(),
                     [](const auto& entry) { return entry.second.is_unlogged; });
}

bool is_label_renamed(const WatchedTable& before, const WatchedTable& now) {
  return std::any_of(now.labels.begin(), now.labels.end(), [&](const auto& entry) {
    const auto then = before.labels.find(entry.first);
    return then != before.labels.end() && then->second != entry.second;
  });
}

constexpr int kFieldCount = 9;

// The columns of watch.sql.
WatchedTable read_fields(std::span<const Value> fields) {
  WatchedTable table;
  const auto text = [&](std::size_t place) {
    return fields[place].is_null() ? std::string_view{} : fields[place].view();
  };
  // Values are text or null: it cannot fail.
  static_cast<void>(append_copy_row(fields, table.text));
  if (fields[0].is_null()) return table;
  table.relation = Oid{number_of(text(0))};
  table.published = text(1);
  table.is_published_by_name = text(2) == "t";
  table.can_select = text(3) == "t";
  table.definition = text(4);
  table.columns = text(5);
  table.numbers = text(6);
  table.labels = read_labels(text(7));
  table.heaps = read_heaps(text(8));
  return table;
}

// Of the schemas that are published as a whole.
Result<std::map<std::string, std::string>> look_at_schemas(pg::Connection& connection,
                                                           std::string_view publications) {
  std::map<std::string, std::string> schemas;
  if (connection.server_version() < kPublishesSchemasSince) return schemas;
  const Parameter parameter{publications};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlWatchedSchemas, {&parameter, 1}));
  for (int row = 0; row < rows.rows(); ++row)
    schemas.emplace(rows.string(row, 0), rows.string(row, 1));
  return schemas;
}

}  // namespace

Result<std::vector<WatchedTable>> look_at_tables(pg::Connection& connection,
                                                 std::span<const TableName> tables,
                                                 std::span<const std::string> publications) {
  const pg::TableNameArrays wanted = pg::array_literals(tables);
  const std::string publication_list = pg::array_literal(publications);
  const std::array<Parameter, 3> parameters{wanted.schemas, wanted.tables, publication_list};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlWatch, parameters));
  FRESHET_TRY(const auto schemas, look_at_schemas(connection, publication_list));
  std::vector<WatchedTable> watched;
  for (int row = 0; row < rows.rows(); ++row) {
    std::vector<Value> fields;
    for (int field = 0; field < kFieldCount; ++field)
      fields.push_back(rows.is_null(row, field) ? Value::null()
                                                : Value::text(rows.text(row, field)));
    std::string published;
    const auto schema = schemas.find(tables[static_cast<std::size_t>(row)].schema);
    if (!fields[1].is_null() && schema != schemas.end()) {
      published = fmt::format("{} {}", fields[1].view(), schema->second);
      fields[1] = Value::text(published);
    }
    watched.push_back(read_fields(fields));
  }
  return watched;
}

std::string to_text(std::span<const TableName> tables, std::span<const WatchedTable> watched) {
  std::string text;
  for (std::size_t i = 0; i < watched.size(); ++i) {
    append_copy_text(tables[i].schema, text);
    text += '\t';
    append_copy_text(tables[i].table, text);
    text += '\t' + watched[i].text;
  }
  return text;
}

Result<std::map<TableName, WatchedTable>> parse_watched(std::string_view text) {
  std::map<TableName, WatchedTable> watched;
  Arena arena;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    text.remove_prefix(line.size());
    std::array<Value, kFieldCount + 2> fields;
    FRESHET_TRY(split_copy_row(line, fields, arena));
    const TableName name{std::string{fields[0].view()}, std::string{fields[1].view()}};
    watched[name] = read_fields(std::span(fields).subspan(2));
  }
  return watched;
}

std::vector<TableNews> compare(const WatchedTable& before, const WatchedTable& now) {
  using Kind = TableNews::Kind;
  if (now.relation == Oid{0}) return {{Kind::gone, "the table was dropped or renamed"}};
  // Before the next: no publication has an unlogged table.
  if (is_unlogged(before) != is_unlogged(now))
    return {{Kind::missed, "it is or was unlogged, and nothing of it was sent meanwhile"}};
  if (!before.published.empty() && now.published.empty())
    return {{Kind::unpublished, "the table is not in the publication any more"}};
  if (now.relation != before.relation)
    return {redefined(before, now, "the table was dropped and made again")};
  if (!before.published.empty() && now.published != before.published)
    return {{Kind::republished, "its publication was altered"}};
  // Who copies for what follows may have begun before.
  if (auto missed = find_missed(before, now)) return {*std::move(missed)};
  std::vector<TableNews> all = compare_heaps(before, now);
  if (auto news = compare_columns(before, now)) take_in(*std::move(news), all);
  if (is_label_renamed(before, now))
    take_in({Kind::redefined, "a label of an enum was renamed"}, all);
  std::sort(all.begin(), all.end(),
            [](const TableNews& a, const TableNews& b) { return a.kind < b.kind; });
  return all;
}

bool has_come_to(const FollowedState& state, const TableSchema& current) {
  if (state.definition.empty() || current.definition != state.definition) return false;
  return state.files.empty() || !has_other_files(current.files, state.files);
}

}  // namespace freshet::source
