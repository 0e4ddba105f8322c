// Bytes of the target that must not reach a terminal as they are.

#include "commands/output/escape.hpp"

#include <gtest/gtest.h>

namespace kvmscope {
namespace {

std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(Escape, KeepsTextOfAllLanguages) {
  for (const std::string_view text : {"plain \\ text", "→ ├─ ü 漢 😀", ""})
    EXPECT_EQ(escape_text(text), text);
}

TEST(Escape, ShowsControlCharacters) {
  EXPECT_EQ(escape_text("\x1b[31m"), "\\e[31m");
  EXPECT_EQ(escape_text("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(escape_text(std::string_view("\0\x01\x7f", 3)), "\\x00\\x01\\x7f");
  EXPECT_EQ(escape_text("\xc2\x9b"
                        "31m"),
            "\\x9b31m");  // CSI in one character
  EXPECT_EQ(escape_text("a\nb\x1b", "\n"), "a\nb\\e");
}

TEST(Escape, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(escape_text("\xff"), "\\xff");
  EXPECT_EQ(escape_text("\x9b"
                        "31m"),
            "\\x9b31m");
  EXPECT_EQ(escape_text("\xc3"), "\\xc3");                             // cut short
  EXPECT_EQ(escape_text("\xc0\x9b"), "\\xc0\\x9b");                    // ESC, not in shortest form
  EXPECT_EQ(escape_text("\xe0\x82\x9b"), "\\xe0\\x82\\x9b");           // the same
  EXPECT_EQ(escape_text("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(escape_text("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond Unicode
  EXPECT_EQ(escape_text("\xe2\x28\xa1x"), "\\xe2(\\xa1x");
}

TEST(Escape, ShowsCharactersThatReorderOrHide) {
  EXPECT_EQ(escape_text("a\u202eb"), "a\\u{202e}b");
  EXPECT_EQ(escape_text("a\u200bb"), "a\\u{200b}b");
  EXPECT_EQ(escape_text("a\u2066b"), "a\\u{2066}b");
}

TEST(Escape, JsonStringsAreValidAndHarmless) {
  EXPECT_EQ(json("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(json("\x1b\n\x7f"), R"("\u001b\n\u007f")");
  EXPECT_EQ(json("\xff→"), R"("\\xff→")");
  EXPECT_EQ(json(std::string_view("\0", 1)), R"("\u0000")");
}

TEST(Escape, NoByteBelowBlankComesOut) {
  for (int first = 0; first < 256; ++first)
    for (int second = 0; second < 256; ++second) {
      const char bytes[] = {static_cast<char>(first), static_cast<char>(second)};
      for (const std::string& text : {escape_text({bytes, 2}), json({bytes, 2})})
        for (const unsigned char c : text) ASSERT_TRUE(c >= 0x20 && c != 0x7f) << first;
    }
}

TEST(DisplayWidth, CountsColumns) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("├─ →"), 4U);
  EXPECT_EQ(display_width("漢字"), 4U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
}

}  // namespace
}  // namespace kvmscope
