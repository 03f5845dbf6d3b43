// The contract suite over the destinations that need no server.
#include "base/testing/scratch_directory.h"
#include "destinations/contract/testing/contract_suite.h"
#include "destinations/contract/testing/jsonl_replay.h"
#include "destinations/jsonl/writer.h"
#include "destinations/null/writer.h"

namespace freshet {
namespace {

class JsonlSubject final : public Subject {
 public:
  Result<std::unique_ptr<Destination>> make() override {
    return make_jsonl_destination({.name = "lines", .url = "jsonl:" + path_, .vector_index = {}});
  }

  std::optional<std::vector<VisibleRow>> rows(const TableSchema& schema) override {
    return replay_jsonl(path_, schema);
  }

 private:
  ScratchDirectory directory_;
  std::string path_ = directory_.path("out.jsonl");
};

class NullSubject final : public Subject {
 public:
  Result<std::unique_ptr<Destination>> make() override {
    return make_null_destination({.name = "nothing", .url = "null:", .vector_index = {}});
  }

  std::optional<std::vector<VisibleRow>> rows(const TableSchema&) override { return {}; }
};

INSTANTIATE_TEST_SUITE_P(
    Local,
    DestinationContract,
    testing::Values(
        SubjectCase{.name = "jsonl", .make = [] { return std::make_unique<JsonlSubject>(); }},
        SubjectCase{.name = "null", .make = [] { return std::make_unique<NullSubject>(); }}),
    [](const auto& subject) { return std::string{subject.param.name}; });

}  // namespace
}  // namespace freshet
