#include "core/expression/lexer.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace kvmscope {
namespace {

// Longer ones first, so that the first that fits is the longest.
constexpr std::array<std::string_view, 35> punctuation = {
    "<<=", ">>=", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&",
    "||",  "+=",  "-=", "*=", "/=", "%=", "(",  ")",  "[",  "]",  ".",  ",",
    "?",   ":",   "=",  "+",  "-",  "*",  "/",  "%",  "&",  "^",  "|"};
constexpr std::string_view single_punctuation = "~!<>";

constexpr std::size_t address_digits = 16;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// A byte as an error message may show it.
std::string shown(char c) {
  return c >= ' ' && c <= '~' ? std::string(1, c)
                              : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
}

void take_suffix(std::string_view& digits, Token& token) {
  while (!digits.empty()) {
    const char last = digits.back();
    if (last == 'u' || last == 'U')
      token.is_unsigned = true;
    else if (last == 'l' || last == 'L')
      token.is_long = true;
    else
      return;
    digits.remove_suffix(1);
  }
}

Token number_token(std::string_view word, std::size_t column) {
  Token token{.kind = TokenKind::number, .text = word, .column = column};
  std::string_view digits = word;
  int base = 10;
  if (word.size() == address_digits && std::all_of(word.begin(), word.end(), is_hex_digit)) {
    base = 16;
    token.is_unsigned = token.is_long = true;
  } else {
    take_suffix(digits, token);
    const bool has_prefix = digits.size() > 2 && digits[0] == '0';
    if (has_prefix && (digits[1] == 'x' || digits[1] == 'X'))
      base = 16;
    else if (has_prefix && (digits[1] == 'b' || digits[1] == 'B'))
      base = 2;
    else if (digits.size() > 1 && digits[0] == '0')
      base = 8;
    if (base == 16 || base == 2) digits.remove_prefix(2);
  }
  token.is_decimal = base == 10;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), token.number, base);
  if (error == std::errc::result_out_of_range) throw_at(column, "{} needs more than 64 bits", word);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw_at(column, "'{}' is no number{}", word,
             std::all_of(word.begin(), word.end(), is_hex_digit) ? ": hex needs 0x in front" : "");
  return token;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || (text_[at_] >= '\t' && text_[at_] <= '\r')))
      ++at_;
    if (at_ == text_.size()) return {.column = at_};
    const std::size_t start = at_;
    const char first = text_[at_];
    if (first == '\'') return character();
    if (first == '$') {
      ++at_;
      const std::string_view name = word();
      if (name.empty()) throw_at(start, "$ needs a name behind it");
      return {.kind = TokenKind::variable, .text = name, .column = start};
    }
    if (is_word(first)) {
      const std::string_view name = word();
      const bool is_address =
          name.size() == address_digits && std::all_of(name.begin(), name.end(), is_hex_digit);
      if (is_digit(first) || is_address) return number_token(name, start);
      return {.kind = TokenKind::identifier, .text = name, .column = start};
    }
    return symbol();
  }

 private:
  std::string_view word() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  Token symbol() {
    const std::string_view rest = text_.substr(at_);
    std::string_view found;
    for (const std::string_view candidate : punctuation)
      if (found.empty() && rest.starts_with(candidate)) found = candidate;
    if (found.empty() && single_punctuation.find(rest.front()) != std::string_view::npos)
      found = rest.substr(0, 1);
    if (found.empty()) throw_at(at_, "'{}' has no meaning here", shown(rest.front()));
    const Token token{.kind = TokenKind::punctuation, .text = found, .column = at_};
    at_ += found.size();
    return token;
  }

  // 'a', '\n', '\0', '\x41'
  Token character() {
    const std::size_t start = at_;
    const std::size_t end =
        text_.find('\'', text_.substr(at_).starts_with("'\\'") ? at_ + 3 : at_ + 1);
    if (end == std::string_view::npos) throw_at(start, "a character without its second quote");
    const std::string_view inside = text_.substr(start + 1, end - start - 1);
    at_ = end + 1;
    Token token{
        .kind = TokenKind::number, .text = text_.substr(start, at_ - start), .column = start};
    if (inside.size() == 1 && inside[0] != '\\')
      token.number = static_cast<unsigned char>(inside[0]);
    else
      token.number = escaped(inside, start);
    return token;
  }

  static std::uint64_t escaped(std::string_view inside, std::size_t column) {
    constexpr std::string_view letters = "ntr0ab\\'\"fv";
    constexpr std::string_view meanings("\n\t\r\0\a\b\\'\"\f\v", 11);
    if (inside.size() == 2 && inside[0] == '\\') {
      const std::size_t index = letters.find(inside[1]);
      if (index != std::string_view::npos) return static_cast<unsigned char>(meanings[index]);
    }
    unsigned value = 0;
    const char* const end = inside.data() + inside.size();
    if (inside.starts_with("\\x") && inside.size() > 2 &&
        std::from_chars(inside.data() + 2, end, value, 16).ptr == end && value < 256)
      return value;
    throw_at(column, "no character in C");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Token> tokenize(std::string_view text) {
  std::vector<Token> tokens;
  Lexer lexer(text);
  do {
    tokens.push_back(lexer.next());
  } while (tokens.back().kind != TokenKind::end);
  return tokens;
}

}  // namespace kvmscope
