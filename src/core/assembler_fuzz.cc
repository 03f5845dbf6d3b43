// Fuzzes the assembler with what a server could send: the input chooses the messages of a stream
// that is legal as a whole, with an illegal or cut-off one now and then. A simple model keeps the
// changes of each transaction as a list; what commits must be that list. The budget may be nothing,
// and the spill store may fail, or give back damaged bytes.
// Covers: core/assembler.cc core/transaction_builder.cc core/transaction_log.cc core/transaction.cc
// Covers: core/relation_cache.cc core/spill.cc

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/testing/fuzz_input.h"
#include "base/try.h"
#include "core/assembler.h"
#include "core/ddl_capture.h"
#include "core/pgoutput/testing/message_builder.h"
#include "core/testing/faulty_spill_store.h"
#include "core/testing/sent_changes.h"

namespace {

namespace wire = freshet::pgoutput::testing;
using freshet::ErrorKind;
using freshet::Lsn;
using freshet::Position;
using freshet::testing::FaultySpillStore;
using freshet::testing::FuzzInput;
using freshet::testing::Shape;
using freshet::testing::Step;

/// Mostly some chunks; with less every record is spilled, which is slow.
constexpr std::size_t kBudgets[] = {2000, 300'000, 600'000, 300'000, 1'000'000, 300'000, 0, 600};

struct Announced {
  Shape shape;
  unsigned arrival = 0;
};

using Announcements = std::map<std::uint32_t, Announced>;

/// A transaction in progress.
struct Work {
  std::uint32_t xid = 0;
  std::vector<Step> steps{};
  Announcements overlay{};
  std::set<std::uint32_t> aborted{};
  std::string origin{};
  Lsn prepare_lsn{};
};

/// A server's session, and the assembler at its other end.
class Session {
 public:
  explicit Session(FuzzInput& in)
      : in_(in),
        budget_(kBudgets[in.below(8)]),
        table_count_(in.below(4) == 3 ? 16 : 2),
        disk_(FaultySpillStore::Fault{static_cast<std::uint8_t>(in.below(8) < 5 ? 0
                                                                                : 1 + in.below(3))},
              in.byte()),
        assembler_({.memory_bytes_max = budget_}, disk_) {
    skip_upto_ = Lsn{in.byte()};
    assembler_.skip_upto({skip_upto_});
    if (in.below(2) == 0) {
      undecided_ = {.gids = {make_gid()}, .upto = Lsn{in.byte()}};
      assembler_.set_undecided(undecided_);
    }
  }

  void step() {
    if (errs()) {
      send_misplaced();
    } else if (block_ == Block::none) {
      step_outside();
    } else {
      step_inside();
    }
    if (is_broken_) restart();
    check_counts();
  }

  /// What was delivered can be read again, whatever came after it.
  void read_again() const {
    for (const auto& [transaction, work] : delivered_)
      compare(*transaction, work);
  }

 private:
  enum class Block : std::uint8_t { none, transaction, prepare, stream };

  freshet::Result<freshet::TransactionPtr> push(const std::string& message) {
    // A copy of exactly that size, gone after the call: nothing may point into it.
    const std::unique_ptr<char[]> copy{new char[message.size()]};
    message.copy(copy.get(), message.size());
    return assembler_.push(Lsn{++lsn_}, {copy.get(), message.size()});
  }

  freshet::TransactionPtr send(const std::string& message) {
    auto result = push(message);
    if (result.ok()) return *result;
    FRESHET_CHECK(disk_.may_fail() && result.error().kind() == ErrorKind::storage);
    is_broken_ = true;
    return nullptr;
  }

  void send_refused(const std::string& message, ErrorKind kind = ErrorKind::protocol) {
    const auto result = push(message);
    FRESHET_CHECK(!result.ok() && result.error().kind() == kind);
    is_broken_ = true;
  }

  /// An error ends all that is open: it comes seldom, so that much is open when it comes.
  bool errs() { return in_.byte() >= 250; }

  void send_refused_seldom(const std::string& message, ErrorKind kind = ErrorKind::protocol) {
    if (errs()) send_refused(message, kind);
  }

  void restart() {
    assembler_.reset();
    FRESHET_CHECK(assembler_.memory_bytes() == 0);
    block_ = Block::none;
    streamed_.clear();
    prepared_.clear();
    known_.clear();
    is_broken_ = false;
  }

  void check_counts() {
    FRESHET_CHECK(assembler_.memory_bytes() <= budget_);
    const bool has_plain = block_ == Block::transaction || block_ == Block::prepare;
    FRESHET_CHECK(assembler_.open_transactions() ==
                  streamed_.size() + prepared_.size() + (has_plain ? 1 : 0));
    FRESHET_CHECK(assembler_.counters().rolled_back == rolled_back_);
    FRESHET_CHECK(assembler_.counters().standalone_messages == standalone_);
    std::optional<Lsn> least;
    if (block_ == Block::prepare) least = plain_.prepare_lsn;
    for (const auto& [gid, work] : prepared_)
      least = std::min(work.prepare_lsn, least.value_or(work.prepare_lsn));
    FRESHET_CHECK(assembler_.hold_below(Position{Lsn{~std::uint64_t{0}}}) == least);
  }

  void compare(const freshet::Transaction& transaction, const Work& work) const {
    if (disk_.is_damaged() && transaction.is_spilled())
      return freshet::testing::read_damaged(transaction);
    freshet::testing::Comparison{transaction, work.steps}.run();
  }

  void deliver(const freshet::TransactionPtr& transaction, Work work) {
    FRESHET_CHECK(transaction != nullptr);
    FRESHET_CHECK(transaction->is_empty() == work.steps.empty());
    FRESHET_CHECK(transaction->origin() == work.origin);
    FRESHET_CHECK(to_integer(transaction->info().xid) == work.xid);
    FRESHET_CHECK(transaction->info().end_lsn == Lsn{lsn_});
    compare(*transaction, work);
    promote(work.overlay);
    if (delivered_.size() == 4) delivered_.erase(delivered_.begin());
    delivered_.emplace_back(transaction, std::move(work));
  }

  void promote(const Announcements& overlay) {
    for (const auto& [oid, announced] : overlay) {
      if (announced.arrival > known_[oid].arrival) known_[oid] = announced;
    }
  }

  void step_outside() {
    switch (in_.below(10)) {
      case 0:
        return begin(Block::transaction);
      case 1:
        return begin(Block::prepare);
      case 2:
      case 3:
      case 4:
        return start_stream();
      case 5:
        return end_stream();
      case 6:
        return prepare_stream();
      case 7:
        return abort_stream();
      case 8:
        return decide_prepared();
      default:
        send(wire::logical_message("prefix", "alone", false));
        ++standalone_;
    }
  }

  void begin(Block block) {
    plain_ = {.xid = 1U + in_.byte(), .prepare_lsn = Lsn{lsn_ + 1}};
    gid_ = make_gid();
    // A name still in use is an error.
    if (prepared_.contains(gid_) && !errs()) block = Block::transaction;
    block_ = block;
    if (block == Block::transaction) {
      send(wire::begin(to_integer(plain_.prepare_lsn), plain_.xid));
    } else {
      send(wire::begin_prepare(to_integer(plain_.prepare_lsn), plain_.xid, gid_));
    }
  }

  std::uint32_t make_oid() { return 20000 + in_.below(table_count_); }

  std::string make_gid() { return "gid" + std::to_string(in_.below(3)); }

  std::uint32_t make_xid() { return 1000 + in_.below(3); }

  void start_stream() {
    stream_xid_ = make_xid();
    const bool is_first = !streamed_.contains(stream_xid_);
    if (errs()) return send_refused(wire::stream_start(stream_xid_, !is_first));
    streamed_[stream_xid_].xid = stream_xid_;
    block_ = Block::stream;
    send(wire::stream_start(stream_xid_, is_first));
  }

  void end_stream() {
    const std::uint32_t xid = make_xid();
    const std::string message = wire::stream_commit(xid, lsn_, lsn_ + 1);
    if (!streamed_.contains(xid)) return send_refused_seldom(message);
    Work work = std::move(streamed_[xid]);
    streamed_.erase(xid);
    deliver(send(message), std::move(work));
  }

  void prepare_stream() {
    const std::uint32_t xid = make_xid();
    const std::string gid = make_gid();
    const std::string message = wire::stream_prepare(lsn_ + 1, xid, gid);
    if (!streamed_.contains(xid) || prepared_.contains(gid)) return send_refused_seldom(message);
    Work work = std::move(streamed_[xid]);
    work.prepare_lsn = Lsn{lsn_ + 1};
    streamed_.erase(xid);
    promote(work.overlay);
    prepared_[gid] = std::move(work);
    send(message);
  }

  void abort_stream() {
    const std::uint32_t xid = make_xid();
    // Mostly of a sub-transaction, so that several of one transaction are rolled back.
    const std::uint32_t subxid = in_.below(8) == 0 ? xid : xid * 10 + 1 + in_.below(3);
    send(in_.flip() ? wire::stream_abort(xid, subxid) : wire::stream_abort_parallel(xid, subxid));
    const auto found = streamed_.find(xid);
    if (found == streamed_.end()) return;
    if (subxid == xid) {
      streamed_.erase(found);
      ++rolled_back_;
    } else if (std::erase_if(found->second.steps,
                             [&](const Step& step) { return step.subxid == subxid; }) > 0) {
      found->second.aborted.insert(subxid);
    }
  }

  void decide_prepared() {
    const std::string gid = make_gid();
    const auto found = prepared_.find(gid);
    if (in_.below(4) == 0) {
      send(wire::rollback_prepared(lsn_, 1, gid));
      undecided_.gids.erase(gid);
      if (found == prepared_.end()) return;
      prepared_.erase(found);
      ++rolled_back_;
      return;
    }
    if (found == prepared_.end()) {
      const std::string message = wire::commit_prepared(lsn_, lsn_ + 1, 1, gid);
      const bool may_lack_rows = Lsn{lsn_} <= undecided_.upto || undecided_.gids.contains(gid);
      if (Lsn{lsn_ + 1} > skip_upto_ && may_lack_rows)
        return send_refused_seldom(message, ErrorKind::gap);
      FRESHET_CHECK(send(message) == nullptr);
      return;
    }
    const std::uint32_t xid = found->second.xid;
    if (errs()) return send_refused(wire::commit_prepared(lsn_, 1, xid + 1, gid));
    Work work = std::move(found->second);
    prepared_.erase(found);
    undecided_.gids.erase(gid);
    deliver(send(wire::commit_prepared(lsn_, lsn_ + 1, xid, gid)), std::move(work));
  }

  Work& current() { return block_ == Block::stream ? streamed_[stream_xid_] : plain_; }

  void step_inside() {
    switch (in_.below(13)) {
      case 0:
        return end_block();
      case 7:
        return add_definition();
      case 1:
      case 2:
        return announce();
      case 3:
        send(wire::type(50000 + in_.below(2), "mood", message_xid(stream_xid_)));
        FRESHET_CHECK(is_broken_ || assembler_.find_type(freshet::Oid{50001}) == nullptr ||
                      assembler_.find_type(freshet::Oid{50001})->name == "mood");
        return;
      case 4:
        return add_truncate();
      case 5:
        return add_message();
      case 6:
        current().origin = in_.flip() ? "node" : "other";
        send(wire::origin(current().origin));
        return;
      default:
        return add_row();
    }
  }

  void end_block() {
    const Block block = std::exchange(block_, Block::none);
    const std::uint64_t begun = to_integer(plain_.prepare_lsn);
    const std::uint64_t wrong = errs() ? 1 : 0;
    if (block == Block::stream) {
      send(wire::stream_stop());
    } else if (block == Block::transaction) {
      const std::string message = wire::commit(begun + wrong, lsn_ + 1);
      if (wrong != 0) return send_refused(message);
      deliver(send(message), std::move(plain_));
    } else {
      const auto xid = static_cast<std::uint32_t>(plain_.xid + wrong);
      const std::string message = wire::prepare(begun, xid, gid_);
      if (wrong != 0 || prepared_.contains(gid_)) return send_refused(message);
      prepared_[gid_] = std::move(plain_);
      send(message);
    }
  }

  wire::MaybeXid message_xid(std::uint32_t xid) const {
    return block_ == Block::stream ? wire::MaybeXid{xid} : wire::MaybeXid{};
  }

  /// Of the transaction itself, or of one of its sub-transactions.
  std::uint32_t make_subxid(std::uint32_t xid) {
    const unsigned choice = in_.below(4);
    return choice == 0 ? xid : xid * 10 + choice;
  }

  void announce() {
    const Shape shape{.oid = make_oid(),
                      .name = "t" + std::to_string(in_.below(3)),
                      .column_count = in_.below(4)};
    std::vector<wire::ColumnSpec> columns(shape.column_count);
    for (wire::ColumnSpec& column : columns)
      column.name = "c";
    send(wire::relation(shape.oid, shape.name, columns, message_xid(stream_xid_)));
    (block_ == Block::stream ? current().overlay : known_)[shape.oid] = {shape, ++arrivals_};
  }

  const Shape* find_shape(std::uint32_t oid) {
    const auto own = current().overlay.find(oid);
    if (own != current().overlay.end()) return &own->second.shape;
    const auto found = known_.find(oid);
    return found == known_.end() ? nullptr : &found->second.shape;
  }

  Step make_step(char type) {
    Step step{.type = type, .lsn = Lsn{lsn_ + 1}};
    if (block_ == Block::stream) step.subxid = make_subxid(stream_xid_);
    return step;
  }

  void keep(Step step) {
    if (!current().aborted.contains(step.subxid)) current().steps.push_back(std::move(step));
  }

  wire::Cells make_cells(std::size_t count) {
    wire::Cells cells;
    for (std::size_t i = 0; i < count; ++i) {
      const unsigned choice = in_.byte();
      if (choice == 0) {
        cells.emplace_back();
      } else if (choice == 1) {
        cells.push_back(wire::kUnchanged);
      } else {
        // Seldom one that fills a chunk.
        const std::size_t size = choice > 252 ? std::size_t{choice - 252} << 14 : choice % 32;
        cells.emplace_back(std::string(size, static_cast<char>('a' + choice % 26)));
      }
    }
    return cells;
  }

  void add_row() {
    const std::uint32_t oid = make_oid();
    Step step = make_step("IUD"[in_.below(3)]);
    const Shape* shape = find_shape(oid);
    // Of a table that was never announced, or of another width.
    const bool is_wrong = shape == nullptr || errs();
    step.shape = shape == nullptr ? Shape{.oid = oid} : *shape;
    const std::size_t count = step.shape.column_count + (is_wrong ? 1 : 0);
    const char tag = step.type == 'I' ? '\0' : "KO\0"[in_.below(step.type == 'U' ? 3 : 2)];
    if (tag != '\0') step.before = make_cells(count);
    if (step.type != 'D') step.after = make_cells(count);
    const wire::MaybeXid xid = message_xid(step.subxid);
    const std::string message = step.type == 'I' ? wire::insert(oid, step.after, xid)
                                : step.type == 'U'
                                    ? wire::update(oid, tag, step.before, step.after, xid)
                                    : wire::remove(oid, tag, step.before, xid);
    if (is_wrong) return send_refused_seldom(message);
    send(message);
    keep(std::move(step));
  }

  void add_truncate() {
    Step step = make_step('T');
    step.flags = in_.below(4);
    std::vector<std::uint32_t> oids;
    bool is_known = true;
    for (unsigned left = in_.below(4); left > 0; --left) {
      oids.push_back(make_oid());
      const Shape* shape = find_shape(oids.back());
      is_known = is_known && shape != nullptr;
      step.tables.push_back(shape == nullptr ? Shape{} : *shape);
    }
    const std::string message = wire::truncate(oids, step.flags, message_xid(step.subxid));
    if (!is_known && !current().aborted.contains(step.subxid)) return send_refused_seldom(message);
    send(message);
    if (!oids.empty()) keep(std::move(step));
  }

  void add_message() {
    Step step = make_step('M');
    step.content = std::string{in_.take(in_.below(8))};
    step.flags = in_.below(8) == 0 ? 0 : 1;
    send(wire::logical_message("prefix", step.content, step.flags == 1, message_xid(step.subxid)));
    keep(std::move(step));
  }

  /// As an event trigger writes it.
  void add_definition() {
    Step step = make_step('R');
    step.shape = {.oid = make_oid(),
                  .name = "t" + std::to_string(in_.below(3)),
                  .column_count = in_.below(4)};
    std::string columns;
    for (std::size_t i = 1; i <= step.shape.column_count; ++i) {
      columns += (i > 1 ? "," : "") + std::string{"[\"c\","} + std::to_string(i) +
                 ",23,-1,null,false,false,true,0,false,null]";
    }
    const std::string json =
        "{\"version\":1,\"xid\":" + std::to_string(step.subxid) +
        ",\"relation\":" + std::to_string(step.shape.oid) + ",\"schema\":\"public\",\"table\":\"" +
        step.shape.name + "\",\"identity\":\"d\",\"definition\":\"d" +
        std::to_string(in_.below(3)) + " 0\",\"files\":\"1:1\",\"columns\":[" + columns + "]}";
    FRESHET_CHECK(freshet::parse_capture(json) != nullptr);
    send(wire::logical_message(std::string{freshet::kDdlPrefix}, json, true,
                               message_xid(step.subxid)));
    keep(std::move(step));
  }

  /// What may not come now, or not like that.
  void send_misplaced() {
    const std::string outside[] = {wire::commit(1, 2),
                                   wire::relation(1, "t", {}),
                                   wire::insert(1, {}),
                                   wire::truncate({1}),
                                   wire::logical_message("p", "c"),
                                   wire::origin("o"),
                                   wire::type(1, "t"),
                                   wire::stream_stop(),
                                   wire::prepare(1, 1, "gid0")};
    const std::string inside[] = {wire::begin(1, 1),
                                  wire::begin_prepare(1, 1, "g"),
                                  wire::stream_start(7, true),
                                  wire::stream_commit(7, 1, 2),
                                  wire::stream_abort(7, 7),
                                  wire::stream_prepare(1, 7, "g"),
                                  wire::commit_prepared(1, 2, 1, "g"),
                                  wire::rollback_prepared(1, 1, "g")};
    if (in_.flip()) {
      const std::string cut = in_.flip() ? inside[in_.below(8)] : outside[in_.below(9)];
      return send_refused(cut.substr(0, in_.below(cut.size())));
    }
    send_refused(block_ == Block::none ? outside[in_.below(9)] : inside[in_.below(8)]);
  }

  FuzzInput& in_;
  const std::size_t budget_;
  const std::size_t table_count_;
  FaultySpillStore disk_;
  freshet::Assembler assembler_;
  Lsn skip_upto_{};
  freshet::Undecided undecided_;
  std::uint64_t lsn_ = 0;
  unsigned arrivals_ = 0;
  bool is_broken_ = false;
  Block block_ = Block::none;
  Work plain_;
  std::string gid_;
  std::uint32_t stream_xid_ = 0;
  std::map<std::uint32_t, Work> streamed_;
  std::map<std::string, Work> prepared_;
  Announcements known_;
  std::uint64_t rolled_back_ = 0;
  std::uint64_t standalone_ = 0;
  std::vector<std::pair<freshet::TransactionPtr, Work>> delivered_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput in{data, size};
  Session session{in};
  while (!in.is_empty())
    session.step();
  session.read_again();
  return 0;
}
