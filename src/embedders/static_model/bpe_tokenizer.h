// Text to token ids by byte pair encoding, exactly as Hugging Face's `tokenizers` package does for
// the same tokenizer.json without special tokens around the text.
//
// Supported: BPE with byte fallback and unknown tokens, added tokens, the normalizers Prepend and
// Replace (of a string). Everything else that would change an id is refused when the file is read.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "embedders/static_model/merge_table.h"
#include "embedders/static_model/word_cache.h"
#include "freshet/result.h"

namespace freshet {

/// What a tokenizer.json declares, reduced to what decides ids.
struct TokenizerSpec {
  struct NormalizerStep {
    enum class Kind : std::uint8_t { prepend, replace };
    Kind kind = Kind::prepend;
    std::string pattern;  ///< replace: what to look for; not empty.
    std::string content;  ///< What is put in front, or in its place.
  };

  struct AddedToken {
    std::string content;
    std::uint32_t id = 0;
    bool is_normalized = false;  ///< Looked for after normalization, in its own normalized form.
  };

  std::vector<std::pair<std::string, std::uint32_t>> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  ///< In order of rank.
  std::vector<NormalizerStep> normalizer;
  std::vector<AddedToken> added_tokens;
  std::string unknown_token;  ///< Empty: characters without a token are dropped.
  bool fuses_unknown = false;
  bool has_byte_fallback = false;
};

/// Reads a tokenizer.json. Errors (kind `config`) name the feature that is not supported.
Result<TokenizerSpec> parse_tokenizer_spec(std::string_view json);

/// Immutable after `make`; any number of threads may encode, each with a Scratch of its own.
class BpeTokenizer {
 public:
  /// Buffers that are kept from call to call, so that encoding allocates nothing per token.
  struct Scratch {
    struct Symbol {
      std::uint32_t id;
      std::uint32_t previous;
      std::uint32_t next;
    };

    std::string normalized;
    std::string replaced;
    std::vector<Symbol> symbols;
    std::vector<std::uint64_t> queue;
    WordCache words;

    /// Gives back what one huge text needed.
    void trim();
  };

  static Result<BpeTokenizer> make(const TokenizerSpec& spec);

  /// Appends the ids of `text` to `ids`. Bytes that are not UTF-8 are encoded one by one, by byte
  /// fallback. Time O(n log n) in the length of the text, whatever it holds.
  void encode(std::string_view text, Scratch& scratch, std::vector<std::uint32_t>& ids) const;

  /// One more than the greatest id that encode() can give.
  std::uint32_t id_limit() const noexcept { return id_limit_; }

  /// True if words between spaces can be encoded one by one (and so be cached).
  bool is_split_at_words() const noexcept { return is_split_at_words_; }

 private:
  struct Unknown {
    bool is_pending = false;
  };

  BpeTokenizer() = default;
  Status load_vocabulary(const TokenizerSpec& spec);
  Status load_merges(const TokenizerSpec& spec);
  void load_added_tokens(const TokenizerSpec& spec);
  void normalize(std::string_view text, Scratch& scratch) const;
  void encode_piece(std::string_view piece,
                    Scratch& scratch,
                    std::vector<std::uint32_t>& ids) const;
  void encode_words(std::string_view text, Scratch& scratch, std::vector<std::uint32_t>& ids) const;
  void encode_word(std::string_view word, Scratch& scratch, std::vector<std::uint32_t>& ids) const;
  void merge_word(std::string_view word, Scratch& scratch, std::vector<std::uint32_t>& ids) const;
  void split_symbols(std::string_view word, Scratch& scratch) const;
  void add_symbol(std::uint32_t id, Scratch& scratch) const;
  void add_unknown(std::string_view character, Unknown& unknown, Scratch& scratch) const;
  void flush_unknown(Unknown& unknown, Scratch& scratch) const;
  void queue_pair(std::uint32_t left, Scratch& scratch) const;
  void merge_symbols(Scratch& scratch) const;

  /// Added tokens of one kind, found leftmost first and longest first.
  struct Matcher {
    struct Entry {
      std::string content;
      std::uint32_t id;
    };

    struct Match {
      std::size_t start;
      const Entry* entry;  ///< Null: none found.
    };

    std::array<std::vector<Entry>, 256> by_first_byte;
    std::string first_bytes;

    void add(std::string content, std::uint32_t id);
    Match find(std::string_view text, std::size_t from) const;
  };

  MergeTable merges_;
  /// Ids of single characters, in blocks of 256 code points; block 0 is empty.
  std::vector<std::uint32_t> character_blocks_;
  std::vector<std::uint16_t> character_block_of_;
  std::array<std::uint32_t, 256> byte_ids_{};
  std::uint32_t unknown_id_ = 0;
  bool has_unknown_ = false;
  bool fuses_unknown_ = false;
  bool has_byte_fallback_ = false;
  bool is_split_at_words_ = false;
  bool is_plain_normalizer_ = false;
  std::uint32_t id_limit_ = 0;
  std::vector<TokenizerSpec::NormalizerStep> normalizer_;
  Matcher raw_tokens_;
  Matcher normalized_tokens_;
};

}  // namespace freshet
