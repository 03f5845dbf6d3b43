#include "types/copy_text.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/try.h"

namespace freshet {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
constexpr std::uint64_t kHighBits = 0x8080808080808080ULL;

constexpr std::uint64_t repeat(char byte) {
  return kOnes * static_cast<unsigned char>(byte);
}

/// Marks the bytes of `word` below `limit` (at most 128); exact up to and including the lowest
/// mark.
constexpr std::uint64_t bytes_below(std::uint64_t word, unsigned limit) {
  return (word - kOnes * limit) & ~word & kHighBits;
}

constexpr std::uint64_t bytes_equal(std::uint64_t word, char byte) {
  return bytes_below(word ^ repeat(byte), 1);
}

/// Finds the first byte of [cursor, end) that `marks` (on a word) and `is` (on a byte) agree on,
/// eight at a time: fields are short, a call of memchr for each would cost more.
template <typename Marks, typename Is>
const char* find_first(const char* cursor, const char* end, Marks marks, Is is) {
  static_assert(std::endian::native == std::endian::little, "the lowest byte must come first");
  while (end - cursor >= 8) {
    std::uint64_t word;
    std::memcpy(&word, cursor, sizeof(word));
    const std::uint64_t found = marks(word);
    if (found != 0) return cursor + std::countr_zero(found) / 8;
    cursor += 8;
  }
  while (cursor != end && !is(*cursor))
    ++cursor;
  return cursor;
}

const char* find_tab_or_backslash(const char* cursor, const char* end) {
  return find_first(
      cursor, end,
      [](std::uint64_t word) { return bytes_equal(word, '\t') | bytes_equal(word, '\\'); },
      [](char byte) { return byte == '\t' || byte == '\\'; });
}

/// All control characters that have an escape lie in 8 to 13; the others below 14 stay as they are,
/// so that a mark may be a false one.
const char* find_escapable(const char* cursor, const char* end) {
  return find_first(
      cursor, end,
      [](std::uint64_t word) { return bytes_below(word, 14) | bytes_equal(word, '\\'); },
      [](char byte) { return static_cast<unsigned char>(byte) < 14 || byte == '\\'; });
}

/// The letter that stands for `byte` behind a backslash, or 0 if it needs none.
char escape_letter(char byte) {
  switch (byte) {
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\v':
      return 'v';
    case '\\':
      return '\\';
    default:
      return 0;
  }
}

int hex_digit(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

int octal_digit(char byte) {
  return byte >= '0' && byte <= '7' ? byte - '0' : -1;
}

/// Reads digits of a base of 2 to the power of `bits`; PostgreSQL too keeps the low eight bits
/// only.
template <typename Digit>
char read_digits(const char*& cursor, const char* end, int count_max, int bits, Digit digit) {
  int value = 0;
  for (int i = 0; i < count_max && cursor != end && digit(*cursor) >= 0; ++i) {
    value = (value << bits) + digit(*cursor++);
  }
  return static_cast<char>(value & 0xff);
}

/// Reads what follows a backslash; `cursor` is not at the end.
char read_escape(const char*& cursor, const char* end) {
  if (octal_digit(*cursor) >= 0) return read_digits(cursor, end, 3, 3, octal_digit);
  const char letter = *cursor++;
  switch (letter) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case 'x':
      if (cursor != end && hex_digit(*cursor) >= 0) {
        return read_digits(cursor, end, 2, 4, hex_digit);
      }
      return letter;
    default:
      return letter;
  }
}

Error malformed(const char* problem) {
  return Error{ErrorKind::protocol,
               std::string{"row in COPY text format is malformed: "} + problem};
}

class RowSplitter {
 public:
  RowSplitter(std::string_view row, Arena& arena)
      : cursor_(row.data()), end_(row.data() + row.size()), arena_(arena) {}

  bool at_end() const { return cursor_ == end_; }

  /// Reads a field and stops at the tab behind it, or at the end.
  Result<Value> field() {
    const char* start = cursor_;
    cursor_ = find_tab_or_backslash(cursor_, end_);
    if (cursor_ == end_ || *cursor_ == '\t') return text(start, cursor_);
    if (cursor_ == start && is_null_mark()) {
      cursor_ += 2;
      return Value::null();
    }
    return unescape(start);
  }

  /// Steps over the tab between two fields.
  bool skip_tab() {
    if (at_end() || *cursor_ != '\t') return false;
    ++cursor_;
    return true;
  }

 private:
  static Value text(const char* begin, const char* end) {
    return Value::text({begin, static_cast<std::size_t>(end - begin)});
  }

  bool is_null_mark() const {
    return end_ - cursor_ >= 2 && cursor_[1] == 'N' && (end_ - cursor_ == 2 || cursor_[2] == '\t');
  }

  /// Reads on from the first backslash of the field that began at `start`.
  Result<Value> unescape(const char* start) {
    // Unescaped text is never longer than escaped text; the field ends before the next bare tab.
    const char* bound = cursor_;
    while (bound != end_ && *bound != '\t') {
      bound =
          find_tab_or_backslash(*bound == '\\' && end_ - bound > 1 ? bound + 2 : bound + 1, end_);
    }
    char* const memory = arena_.allocate(static_cast<std::size_t>(bound - start));
    char* out = memory;
    const char* from = start;
    while (true) {
      std::memcpy(out, from, static_cast<std::size_t>(cursor_ - from));
      out += cursor_ - from;
      if (cursor_ == end_ || *cursor_ == '\t') return text(memory, out);
      ++cursor_;
      if (cursor_ == end_) return malformed("it ends in a backslash");
      const char byte = read_escape(cursor_, end_);
      if (byte == '\0') return malformed("it holds an escaped NUL");
      *out++ = byte;
      from = cursor_;
      cursor_ = find_tab_or_backslash(cursor_, end_);
    }
  }

  const char* cursor_;
  const char* end_;
  Arena& arena_;
};

}  // namespace

Status split_copy_row(std::string_view row, std::span<Value> fields, Arena& arena) {
  if (row.ends_with('\n')) row.remove_suffix(1);
  if (!row.empty() && std::memchr(row.data(), 0, row.size()) != nullptr) {
    return malformed("it holds a NUL");
  }
  if (row == "\\.") return malformed("it is the end of the data");
  if (fields.empty()) return row.empty() ? ok_status() : malformed("it has too many fields");
  RowSplitter splitter{row, arena};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i != 0 && !splitter.skip_tab()) return malformed("it has too few fields");
    FRESHET_TRY(fields[i], splitter.field());
  }
  if (!splitter.at_end()) return malformed("it has too many fields");
  return ok_status();
}

void append_copy_text(std::string_view text, std::string& out) {
  const char* cursor = text.data();
  const char* const end = cursor + text.size();
  while (cursor != end) {
    const char* found = find_escapable(cursor, end);
    out.append(cursor, found);
    if (found == end) return;
    if (const char letter = escape_letter(*found); letter != 0) {
      out.push_back('\\');
      out.push_back(letter);
    } else {
      out.push_back(*found);
    }
    cursor = found + 1;
  }
}

Status append_copy_row(RowView row, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i != 0) out.push_back('\t');
    if (row[i].kind == ValueKind::null) {
      out.append("\\N", 2);
    } else if (row[i].kind == ValueKind::text) {
      append_copy_text(row[i].view(), out);
    } else {
      out.resize(before);
      return Error{ErrorKind::data, "only text and null can be written in COPY text format"}.with(
          "column", static_cast<unsigned long long>(i + 1));
    }
  }
  out.push_back('\n');
  return ok_status();
}

}  // namespace freshet
