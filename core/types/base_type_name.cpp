#include "core/types/base_type_name.hpp"

#include <optional>
#include <string>

namespace kvmscope {
namespace {

// A base type as the words that make it up, in any order.
struct Words {
  int longs = 0;
  bool is_signed = false;
  bool is_unsigned = false;
  bool is_short = false;
  bool has_int = false;    // the word "int", which says nothing beside another one
  std::string_view other;  // char, _Bool, float, double, __int128
};

bool take(Words& words, std::string_view word) {
  if (word == "long") {
    ++words.longs;
  } else if (word == "signed" || word == "__signed__") {
    words.is_signed = true;
  } else if (word == "unsigned") {
    words.is_unsigned = true;
  } else if (word == "short") {
    words.is_short = true;
  } else if (word == "int") {
    words.has_int = true;
  } else if (word == "bool" || word == "_Bool") {
    words.other = "_Bool";
  } else if (word == "char" || word == "float" || word == "double" || word == "__int128") {
    words.other = word;
  } else {
    return false;
  }
  return true;
}

// None when a word is not one of C's.
std::optional<Words> split(std::string_view spelling) {
  Words words;
  bool any = false;
  while (!spelling.empty()) {
    const std::size_t end = std::min(spelling.find(' '), spelling.size());
    const std::string_view word = spelling.substr(0, end);
    spelling.remove_prefix(std::min(end + 1, spelling.size()));
    if (word.empty()) continue;
    if (!take(words, word)) return std::nullopt;
    any = true;
  }
  return any ? std::optional(words) : std::nullopt;
}

}  // namespace

bool is_base_type_name(std::string_view spelling) {
  return split(spelling).has_value();
}

std::string base_type_name(std::string_view spelling) {
  const std::optional<Words> words = split(spelling);
  if (!words) return std::string(spelling);
  std::string name;
  const auto add = [&](std::string_view word) {
    if (!name.empty()) name += ' ';
    name += word;
  };
  if (words->is_unsigned) add("unsigned");
  // Only "signed char" differs from the type without the word.
  if (words->is_signed && words->other == "char") add("signed");
  if (words->is_short) add("short");
  for (int i = 0; i < words->longs && i < 2; ++i) add("long");
  if (!words->other.empty())
    add(words->other);
  else if (!words->is_short && words->longs == 0)
    add("int");
  return name;
}

}  // namespace kvmscope
