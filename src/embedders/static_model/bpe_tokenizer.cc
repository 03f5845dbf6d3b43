#include "embedders/static_model/bpe_tokenizer.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <unordered_map>

#include "base/try.h"
#include "embedders/static_model/utf8.h"

namespace freshet {
namespace {

// U+2581, which SentencePiece vocabularies write for a space.
constexpr std::string_view kWordMark = "\xE2\x96\x81";
constexpr std::uint32_t kNoId = ~std::uint32_t{0};
constexpr std::uint32_t kNoSymbol = ~std::uint32_t{0};
constexpr std::uint32_t kIdMax = 1U << 24;
constexpr std::size_t kScratchSymbolsKept = 1U << 16;
constexpr std::size_t kCharacterBlock = 256;

using IdsByToken = std::unordered_map<std::string_view, std::uint32_t>;

IdsByToken index_vocabulary(const TokenizerSpec& spec) {
  IdsByToken ids;
  ids.reserve(spec.vocabulary.size());
  for (const auto& [token, id] : spec.vocabulary)
    ids.emplace(token, id);
  return ids;
}

std::string byte_token(unsigned byte) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  return {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
}

// Words may be encoded on their own iff no merge joins the end of a word to the mark of the next.
// A token that stands for other text than its own (unknown, bytes) ends in '>', hence in no mark.
// Where nothing stands for unknown text, marks on both sides of it become neighbours.
bool splits_at_words(const TokenizerSpec& spec, const IdsByToken& ids) {
  if (spec.unknown_token.empty() || spec.unknown_token.ends_with(kWordMark)) return false;
  if (!ids.contains(kWordMark)) return false;
  return std::none_of(spec.merges.begin(), spec.merges.end(), [](const auto& merge) {
    return merge.second.starts_with(kWordMark) && !merge.first.ends_with(kWordMark);
  });
}

void replace_all(std::string_view text,
                 std::string_view pattern,
                 std::string_view content,
                 std::string& out) {
  out.clear();
  std::size_t from = 0;
  for (std::size_t at; (at = text.find(pattern, from)) != std::string_view::npos;) {
    out.append(text, from, at - from).append(content);
    from = at + pattern.size();
  }
  out.append(text, from);
}

}  // namespace

void BpeTokenizer::Scratch::trim() {
  if (symbols.capacity() > kScratchSymbolsKept) std::vector<Symbol>{}.swap(symbols);
  if (queue.capacity() > kScratchSymbolsKept) std::vector<std::uint64_t>{}.swap(queue);
  if (normalized.capacity() > kScratchSymbolsKept) std::string{}.swap(normalized);
  if (replaced.capacity() > kScratchSymbolsKept) std::string{}.swap(replaced);
}

Result<BpeTokenizer> BpeTokenizer::make(const TokenizerSpec& spec) {
  BpeTokenizer tokenizer;
  FRESHET_TRY(tokenizer.load_vocabulary(spec));
  FRESHET_TRY(tokenizer.load_merges(spec));
  tokenizer.normalizer_ = spec.normalizer;
  using Kind = TokenizerSpec::NormalizerStep::Kind;
  const auto& steps = spec.normalizer;
  tokenizer.is_plain_normalizer_ = steps.size() == 2 && steps[0].kind == Kind::prepend &&
                                   steps[1].kind == Kind::replace && steps[1].pattern == " " &&
                                   steps[0].content == kWordMark && steps[1].content == kWordMark;
  tokenizer.load_added_tokens(spec);
  return tokenizer;
}

Status BpeTokenizer::load_vocabulary(const TokenizerSpec& spec) {
  character_block_of_.assign(0x110000 / kCharacterBlock, 0);
  character_blocks_.assign(kCharacterBlock, kNoId);
  for (const auto& [token, id] : spec.vocabulary) {
    if (token.empty() || id >= kIdMax) {
      return Error{ErrorKind::config, "tokenizer has an empty token or a token id past the limit"};
    }
    id_limit_ = std::max(id_limit_, id + 1);
    const utf8::Character character = utf8::first_character(token);
    if (character.size != token.size() || !character.is_valid) continue;
    std::uint16_t& block = character_block_of_[character.code_point / kCharacterBlock];
    if (block == 0) {
      block = static_cast<std::uint16_t>(character_blocks_.size() / kCharacterBlock);
      character_blocks_.resize(character_blocks_.size() + kCharacterBlock, kNoId);
    }
    character_blocks_[block * kCharacterBlock + character.code_point % kCharacterBlock] = id;
  }
  const IdsByToken ids = index_vocabulary(spec);
  has_byte_fallback_ = spec.has_byte_fallback;
  for (unsigned byte = 0; byte < byte_ids_.size(); ++byte) {
    const auto found = ids.find(byte_token(byte));
    byte_ids_[byte] = found == ids.end() ? kNoId : found->second;
  }
  fuses_unknown_ = spec.fuses_unknown;
  if (spec.unknown_token.empty()) return ok_status();
  const auto unknown = ids.find(spec.unknown_token);
  if (unknown == ids.end()) {
    return Error{ErrorKind::config, "tokenizer's unknown token is not in its vocabulary"}.with(
        "token", spec.unknown_token);
  }
  has_unknown_ = true;
  unknown_id_ = unknown->second;
  return ok_status();
}

Status BpeTokenizer::load_merges(const TokenizerSpec& spec) {
  const IdsByToken ids = index_vocabulary(spec);
  merges_.reserve(spec.merges.size());
  std::string joined;
  for (std::uint32_t rank = 0; rank < spec.merges.size(); ++rank) {
    const auto& [left, right] = spec.merges[rank];
    joined.assign(left).append(right);
    const auto left_id = ids.find(left);
    const auto right_id = ids.find(right);
    const auto joined_id = ids.find(joined);
    if (left_id == ids.end() || right_id == ids.end() || joined_id == ids.end()) {
      return Error{ErrorKind::config, "tokenizer merges a token that is not in its vocabulary"}
          .with("left", left)
          .with("right", right);
    }
    merges_.set(left_id->second, right_id->second, rank, joined_id->second);
  }
  is_split_at_words_ = splits_at_words(spec, ids);
  return ok_status();
}

void BpeTokenizer::load_added_tokens(const TokenizerSpec& spec) {
  const IdsByToken ids = index_vocabulary(spec);
  Scratch scratch;
  for (const auto& token : spec.added_tokens) {
    if (token.content.empty()) continue;
    const auto known = ids.find(token.content);
    const std::uint32_t id = known == ids.end() ? token.id : known->second;
    id_limit_ = std::max(id_limit_, id + 1);
    if (token.is_normalized) {
      normalize(token.content, scratch);
      if (!scratch.normalized.empty()) normalized_tokens_.add(scratch.normalized, id);
    } else {
      raw_tokens_.add(token.content, id);
    }
  }
}

void BpeTokenizer::Matcher::add(std::string content, std::uint32_t id) {
  auto& entries = by_first_byte[static_cast<unsigned char>(content[0])];
  if (entries.empty()) first_bytes.push_back(content[0]);
  entries.push_back(Entry{.content = std::move(content), .id = id});
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.content.size() > b.content.size(); });
}

BpeTokenizer::Matcher::Match BpeTokenizer::Matcher::find(std::string_view text,
                                                         std::size_t from) const {
  if (first_bytes.empty()) return {.start = text.size(), .entry = nullptr};
  while ((from = text.find_first_of(first_bytes, from)) != std::string_view::npos) {
    for (const Entry& entry : by_first_byte[static_cast<unsigned char>(text[from])]) {
      if (text.substr(from).starts_with(entry.content)) return {.start = from, .entry = &entry};
    }
    ++from;
  }
  return {.start = text.size(), .entry = nullptr};
}

void BpeTokenizer::encode(std::string_view text,
                          Scratch& scratch,
                          std::vector<std::uint32_t>& ids) const {
  std::size_t from = 0;
  while (from < text.size()) {
    const Matcher::Match match = raw_tokens_.find(text, from);
    // A piece between two added tokens is normalized on its own: each gets its own leading mark.
    if (match.start > from) encode_piece(text.substr(from, match.start - from), scratch, ids);
    if (match.entry == nullptr) return;
    ids.push_back(match.entry->id);
    from = match.start + match.entry->content.size();
  }
}

void BpeTokenizer::normalize(std::string_view text, Scratch& scratch) const {
  std::string& out = scratch.normalized;
  if (is_plain_normalizer_) {
    out.assign(kWordMark);
    std::size_t from = 0;
    for (std::size_t at; (at = text.find(' ', from)) != std::string_view::npos; from = at + 1) {
      out.append(text, from, at - from).append(kWordMark);
    }
    out.append(text, from);
    return;
  }
  out.assign(text);
  for (const auto& step : normalizer_) {
    if (step.kind == TokenizerSpec::NormalizerStep::Kind::prepend) {
      if (!out.empty()) out.insert(0, step.content);
    } else {
      replace_all(out, step.pattern, step.content, scratch.replaced);
      out.swap(scratch.replaced);
    }
  }
}

void BpeTokenizer::encode_piece(std::string_view piece,
                                Scratch& scratch,
                                std::vector<std::uint32_t>& ids) const {
  normalize(piece, scratch);
  const std::string_view text = scratch.normalized;
  std::size_t from = 0;
  while (from < text.size()) {
    const Matcher::Match match = normalized_tokens_.find(text, from);
    if (match.start > from) encode_words(text.substr(from, match.start - from), scratch, ids);
    if (match.entry == nullptr) return;
    ids.push_back(match.entry->id);
    from = match.start + match.entry->content.size();
  }
}

// A word begins at each mark that does not follow a mark.
void BpeTokenizer::encode_words(std::string_view text,
                                Scratch& scratch,
                                std::vector<std::uint32_t>& ids) const {
  if (!is_split_at_words_) return merge_word(text, scratch, ids);
  std::size_t from = 0;
  while (from < text.size()) {
    std::size_t at = from;
    while (text.substr(at).starts_with(kWordMark))
      at += kWordMark.size();
    for (;;) {
      const void* lead = std::memchr(text.data() + at, kWordMark[0], text.size() - at);
      if (lead == nullptr) {
        at = text.size();
        break;
      }
      at = static_cast<std::size_t>(static_cast<const char*>(lead) - text.data());
      if (text.substr(at).starts_with(kWordMark)) break;
      ++at;
    }
    encode_word(text.substr(from, at - from), scratch, ids);
    from = at;
  }
}

void BpeTokenizer::encode_word(std::string_view word,
                               Scratch& scratch,
                               std::vector<std::uint32_t>& ids) const {
  const std::span<const std::uint32_t> known = scratch.words.find(word);
  if (!known.empty()) {
    ids.insert(ids.end(), known.begin(), known.end());
    return;
  }
  const std::size_t first = ids.size();
  merge_word(word, scratch, ids);
  scratch.words.store(word, std::span{ids}.subspan(first));
}

void BpeTokenizer::merge_word(std::string_view word,
                              Scratch& scratch,
                              std::vector<std::uint32_t>& ids) const {
  split_symbols(word, scratch);
  merge_symbols(scratch);
  if (scratch.symbols.empty()) return;
  for (std::uint32_t at = 0; at != kNoSymbol; at = scratch.symbols[at].next) {
    ids.push_back(scratch.symbols[at].id);
  }
}

void BpeTokenizer::add_symbol(std::uint32_t id, Scratch& scratch) const {
  const auto index = static_cast<std::uint32_t>(scratch.symbols.size());
  if (index > 0) scratch.symbols.back().next = index;
  scratch.symbols.push_back(
      {.id = id, .previous = index == 0 ? kNoSymbol : index - 1, .next = kNoSymbol});
}

void BpeTokenizer::flush_unknown(Unknown& unknown, Scratch& scratch) const {
  if (unknown.is_pending) add_symbol(unknown_id_, scratch);
  unknown.is_pending = false;
}

// Bytes that fall back do not flush a pending unknown token, which then comes after them. That is
// the package's order; it shows only if some byte tokens are missing from the vocabulary.
void BpeTokenizer::add_unknown(std::string_view character,
                               Unknown& unknown,
                               Scratch& scratch) const {
  const auto id_of = [this](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  if (has_byte_fallback_ && std::none_of(character.begin(), character.end(),
                                         [&](char byte) { return id_of(byte) == kNoId; })) {
    for (const char byte : character)
      add_symbol(id_of(byte), scratch);
    return;
  }
  if (!has_unknown_) return;
  if (!fuses_unknown_) flush_unknown(unknown, scratch);
  unknown.is_pending = true;
}

void BpeTokenizer::split_symbols(std::string_view word, Scratch& scratch) const {
  scratch.symbols.clear();
  Unknown unknown;
  while (!word.empty()) {
    const utf8::Character character = utf8::first_character(word);
    std::uint32_t id = kNoId;
    if (character.is_valid) {
      const std::size_t block = character_block_of_[character.code_point / kCharacterBlock];
      id = character_blocks_[block * kCharacterBlock + character.code_point % kCharacterBlock];
    }
    if (id == kNoId) {
      add_unknown(word.substr(0, character.size), unknown, scratch);
    } else {
      flush_unknown(unknown, scratch);
      add_symbol(id, scratch);
    }
    word.remove_prefix(character.size);
  }
  flush_unknown(unknown, scratch);
}

// Queue entries are rank and place in one integer: the lowest rank first, then the leftmost.
void BpeTokenizer::queue_pair(std::uint32_t left, Scratch& scratch) const {
  const Scratch::Symbol& symbol = scratch.symbols[left];
  const MergeTable::Merge* merge = merges_.find(symbol.id, scratch.symbols[symbol.next].id);
  if (merge == nullptr) return;
  scratch.queue.push_back((std::uint64_t{merge->rank} << 32) | left);
}

void BpeTokenizer::merge_symbols(Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& queue = scratch.queue;
  queue.clear();
  for (std::uint32_t at = 0; at + 1 < symbols.size(); ++at)
    queue_pair(at, scratch);
  std::make_heap(queue.begin(), queue.end(), std::greater<>{});
  const auto push = [&](std::uint32_t left) {
    const std::size_t size = queue.size();
    queue_pair(left, scratch);
    if (queue.size() > size) std::push_heap(queue.begin(), queue.end(), std::greater<>{});
  };
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), std::greater<>{});
    const std::uint64_t entry = queue.back();
    queue.pop_back();
    const auto at = static_cast<std::uint32_t>(entry);
    Scratch::Symbol& left = symbols[at];
    if (left.id == kNoId || left.next == kNoSymbol) continue;
    Scratch::Symbol& right = symbols[left.next];
    const MergeTable::Merge* merge = merges_.find(left.id, right.id);
    // One of the two was merged with another neighbour since the entry was queued.
    if (merge == nullptr || merge->rank != entry >> 32) continue;
    left.id = merge->merged_id;
    right.id = kNoId;
    left.next = right.next;
    if (left.next != kNoSymbol) symbols[left.next].previous = at;
    if (left.previous != kNoSymbol) push(left.previous);
    if (left.next != kNoSymbol) push(at);
  }
}

}  // namespace freshet
