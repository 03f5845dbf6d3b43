#include "cli/demo/traffic.h"

#include <algorithm>
#include <array>
#include <optional>
#include <random>

#include <fmt/format.h>

#include "base/try.h"
#include "types/copy_text.h"

namespace freshet {
namespace {

constexpr const char* kSchema = R"sql(
CREATE TABLE public.calls (
  id            uuid PRIMARY KEY,
  started_at    timestamptz NOT NULL,
  ended_at      timestamptz,
  state         text NOT NULL,
  prompt        text,
  message_count integer NOT NULL
);
CREATE TABLE public.messages (
  id      bigint PRIMARY KEY,
  call_id uuid NOT NULL,
  sender  uuid NOT NULL,
  sent_at timestamptz NOT NULL,
  content text NOT NULL
);
CREATE TABLE public.agent_runs (
  id         bigint PRIMARY KEY,
  call_id    uuid,
  kind       text NOT NULL,
  steps      bigint NOT NULL,
  cost       numeric(12,4) NOT NULL,
  details    jsonb,
  updated_at timestamptz NOT NULL
);
)sql";

constexpr std::uint64_t kFirstRatingId = 1000;  // below: the clients' own runs

Status add_row(std::string& out, std::initializer_list<std::optional<std::string_view>> values) {
  std::vector<Value> row;
  for (const auto& value : values)
    row.push_back(value ? Value::text(*value) : Value::null());
  return append_copy_row(row, out);
}

Status copy_in(pg::Connection& connection, std::string_view sql, std::string_view rows) {
  FRESHET_TRY(connection.start_copy_in(sql));
  FRESHET_TRY(connection.put_copy_data(rows));
  FRESHET_TRY(const std::uint64_t count, connection.end_copy_in());
  static_cast<void>(count);
  return ok_status();
}

struct HistoryText {
  std::string calls;
  std::string messages;
  std::string runs;
  std::uint64_t message_id = 0;
  std::uint64_t run_id = kFirstRatingId;
  std::uint64_t rows = 0;
};

Status add_conversation(const Conversation& conversation, HistoryText& history) {
  const std::string count = std::to_string(conversation.utterances.size());
  const std::optional<std::string_view> prompt =
      conversation.prompt.empty() ? std::nullopt
                                  : std::optional<std::string_view>(conversation.prompt);
  FRESHET_TRY(
      add_row(history.calls, {conversation.id, conversation.started_at,
                              conversation.utterances.back().sent_at, "ended", prompt, count}));
  for (const Utterance& said : conversation.utterances) {
    const std::string id = std::to_string(++history.message_id);
    FRESHET_TRY(
        add_row(history.messages, {id, conversation.id, said.sender, said.sent_at, said.text}));
  }
  for (const std::string& rating : conversation.ratings) {
    const std::string id = std::to_string(history.run_id++);
    FRESHET_TRY(add_row(history.runs, {id, conversation.id, "rating", "1", "0.0125", rating,
                                       conversation.utterances.back().sent_at}));
  }
  history.rows += 1 + conversation.utterances.size() + conversation.ratings.size();
  return ok_status();
}

}  // namespace

Result<std::uint64_t> load_history(pg::Connection& source,
                                   const std::vector<Conversation>& conversations,
                                   std::uint64_t messages,
                                   std::size_t& next) {
  FRESHET_TRY(source.execute(kSchema));
  HistoryText history;
  for (next = 0; next < conversations.size() && history.message_id < messages; ++next) {
    if (!conversations[next].utterances.empty())
      FRESHET_TRY(add_conversation(conversations[next], history));
  }
  for (std::uint32_t client = 1; client <= kClients; ++client) {
    FRESHET_TRY(add_row(history.runs, {std::to_string(client), std::nullopt, "agent", "0", "0",
                                       std::nullopt, "2018-01-01T00:00:00Z"}));
    ++history.rows;
  }
  FRESHET_TRY(copy_in(
      source,
      "COPY public.calls (id, started_at, ended_at, state, prompt, message_count) FROM STDIN",
      history.calls));
  FRESHET_TRY(copy_in(source,
                      "COPY public.messages (id, call_id, sender, sent_at, content) FROM STDIN",
                      history.messages));
  FRESHET_TRY(copy_in(
      source,
      "COPY public.agent_runs (id, call_id, kind, steps, cost, details, updated_at) FROM STDIN",
      history.runs));
  FRESHET_TRY(source.execute("ANALYZE public.calls, public.messages, public.agent_runs"));
  return history.rows;
}

// One client: works through conversations, one transaction per step, at its share of the rate.
class Traffic::Client {
 public:
  Client(Traffic& traffic, std::uint32_t number, pg::Connection& connection)
      : traffic_(traffic),
        number_(std::to_string(number)),
        client_(number),
        connection_(connection),
        random_(traffic.options_.seed * 7919 + number) {}

  Status prepare() {
    return connection_.execute(R"sql(
      PREPARE open_call (uuid, text) AS
        INSERT INTO public.calls VALUES ($1, clock_timestamp(), NULL, 'open', $2, 0);
      PREPARE say (bigint, uuid, uuid, text) AS
        INSERT INTO public.messages VALUES ($1, $2, $3, clock_timestamp(), $4);
      PREPARE count_message (uuid, int) AS
        UPDATE public.calls SET message_count = message_count + $2 WHERE id = $1;
      PREPARE end_call (uuid) AS
        UPDATE public.calls SET state = 'ended', ended_at = clock_timestamp() WHERE id = $1;
      PREPARE retract (bigint) AS DELETE FROM public.messages WHERE id = $1;
      PREPARE rate (bigint, uuid, jsonb) AS
        INSERT INTO public.agent_runs VALUES ($1, $2, 'rating', 1, 0.0125, $3, clock_timestamp());
      PREPARE step (bigint, bigint, uuid) AS
        UPDATE public.agent_runs SET steps = $2, call_id = $3, cost = cost + 0.0003,
               updated_at = clock_timestamp() WHERE id = $1
        RETURNING pg_catalog.pg_current_xact_id();)sql");
  }

  // Returns how many rows the transaction changed.
  Result<std::uint64_t> do_step() {
    sql_ = "BEGIN;";
    changes_ = 0;
    if (conversation_ == nullptr)
      open_call();
    else if (next_utterance_ < conversation_->utterances.size())
      say();
    else
      end_call();
    const std::uint64_t step = ++steps_;
    add("EXECUTE step ({}, {}, '{}');", number_, step, call_id_);
    FRESHET_TRY(const pg::Rows rows, connection_.query(sql_));
    std::string xid = rows.string(0, 0);
    FRESHET_TRY(connection_.execute("COMMIT"));
    const std::lock_guard lock(traffic_.mutex_);
    traffic_.committed_.push_back({.client = client_, .step = step, .xid = std::move(xid)});
    return changes_;
  }

 private:
  template <typename... Arguments>
  void add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    sql_ += fmt::format(format, std::forward<Arguments>(arguments)...);
    ++changes_;
  }

  static std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
      if (c == '\'') out += '\'';
      out += c;
    }
    return out + "'";
  }

  void open_call() {
    const auto& all = *traffic_.options_.conversations;
    do {
      conversation_ = &all[traffic_.next_conversation_.fetch_add(1) % all.size()];
    } while (conversation_->utterances.empty());
    next_utterance_ = 0;
    std::uniform_int_distribution<std::uint64_t> bits;
    // A new id: the same conversation may be replayed again by --forever.
    const std::uint64_t high = bits(random_);
    const std::uint64_t low = bits(random_);
    call_id_ =
        fmt::format("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", high >> 32U, (high >> 16U) & 0xFFFFU,
                    high & 0xFFFU, low >> 52U, low & 0xFFFFFFFFFFFFU);
    add("EXECUTE open_call ('{}', {});", call_id_,
        conversation_->prompt.empty() ? std::string("NULL") : quoted(conversation_->prompt));
  }

  // A turn of one to three utterances, as people type; one in twenty transactions retracts one.
  void say() {
    const std::size_t turn = 1 + random_() % 3;
    std::uint64_t last_id = 0;
    std::size_t said = 0;
    while (said < turn && next_utterance_ < conversation_->utterances.size()) {
      const Utterance& utterance = conversation_->utterances[next_utterance_++];
      last_id = traffic_.next_message_id_.fetch_add(1);
      add("EXECUTE say ({}, '{}', '{}', {});", last_id, call_id_, utterance.sender,
          quoted(utterance.text));
      ++said;
    }
    if (previous_id_ != 0 && random_() % 20 == 0) {
      add("EXECUTE retract ({});", previous_id_);
      previous_id_ = 0;
    } else {
      previous_id_ = last_id;
    }
    add("EXECUTE count_message ('{}', {});", call_id_, said);
  }

  void end_call() {
    add("EXECUTE end_call ('{}');", call_id_);
    for (const std::string& rating : conversation_->ratings) {
      add("EXECUTE rate ({}, '{}', {});", traffic_.next_message_id_.fetch_add(1) + 1'000'000'000,
          call_id_, quoted(rating));
    }
    conversation_ = nullptr;
    previous_id_ = 0;
  }

  Traffic& traffic_;
  const std::string number_;
  const std::uint32_t client_;
  pg::Connection& connection_;
  std::mt19937_64 random_;
  std::string sql_;
  std::uint64_t changes_ = 0;
  std::uint64_t steps_ = 0;
  const Conversation* conversation_ = nullptr;
  std::size_t next_utterance_ = 0;
  std::uint64_t previous_id_ = 0;
  std::string call_id_;
};

Status Traffic::start() {
  next_message_id_ = options_.next_message_id;
  next_conversation_ = options_.first;
  for (std::uint32_t client = 1; client <= kClients; ++client) {
    FRESHET_TRY(auto connection,
                pg::Connection::open({.url = options_.url, .application_name = "demo traffic"}));
    threads_.emplace_back(
        [this, client, held = std::move(connection)](const std::stop_token& stop) mutable {
          run(client, std::move(held), stop);
        });
  }
  return ok_status();
}

void Traffic::run(std::uint32_t number,
                  std::unique_ptr<pg::Connection> connection,
                  const std::stop_token& stop) {
  Client client(*this, number, *connection);
  Status status = client.prepare();
  const auto started = std::chrono::steady_clock::now();
  const double share = static_cast<double>(options_.rate) / kClients;
  std::uint64_t changed = 0;
  while (status.ok() && !stop.stop_requested()) {
    const std::chrono::duration<double> due(static_cast<double>(changed) / share);
    std::this_thread::sleep_until(
        started + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due));
    auto step = client.do_step();
    if (!step.ok()) {
      status = std::move(step).error();
      break;
    }
    changed += *step;
    changes_.fetch_add(*step, std::memory_order_relaxed);
    transactions_.fetch_add(1, std::memory_order_relaxed);
  }
  const std::lock_guard lock(mutex_);
  if (!status.ok() && status_.ok()) status_ = std::move(status);
}

void Traffic::stop() {
  for (std::jthread& thread : threads_)
    thread.request_stop();
  threads_.clear();
}

Status Traffic::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

std::vector<CommittedStep> Traffic::take_committed() {
  const std::lock_guard lock(mutex_);
  std::vector<CommittedStep> taken;
  taken.swap(committed_);
  return taken;
}

}  // namespace freshet
