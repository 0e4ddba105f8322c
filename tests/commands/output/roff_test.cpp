// Text in a manual page is text, whatever it begins with.

#include "commands/output/roff.hpp"

#include <gtest/gtest.h>

namespace kvmscope {
namespace {

std::string body(const ManualPage& page) {
  return page.text().substr(page.text().find('\n') + 1);
}

TEST(Roff, ACharacterMeansItself) {
  EXPECT_EQ(roff_text("a-b \\n 'x' \"y\" `z` ~^"),
            "a\\-b \\(rsn \\(aqx\\(aq \\(dqy\\(dq \\(gaz\\(ga \\(ti\\(ha");
  EXPECT_EQ(roff_text("a…é😀"), "a\\[u2026]\\[u00E9]\\[u1F600]");
  EXPECT_EQ(roff_text("\xe2\x80"), "??");
  EXPECT_EQ(roff_bold("--sort"), "\\fB\\-\\-sort\\fR");
}

TEST(Roff, ALineThatBeginsWithADotIsNoRequest) {
  ManualPage page("x", "1", "x 1");
  page.paragraphs(".so /etc/passwd");
  page.literal(".ig\n\n'ne");
  EXPECT_EQ(body(page), ".PP\n\\&.so /etc/passwd\n.PP\n.EX\n\\&.ig\n\\&\n\\(aqne\n.EE\n");
}

TEST(Roff, ALongParagraphIsWrappedWithoutMakingRequests) {
  ManualPage page("x", "1", "x 1");
  std::string words;
  for (int i = 0; i < 40; ++i) words += ".word ";
  page.paragraphs(words);
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = page.text().find("\n\\&.word", at)) != std::string::npos; ++at)
    ++lines;
  EXPECT_GT(lines, 2U);
  EXPECT_EQ(page.text().find("\n.word"), std::string::npos);
}

TEST(Roff, ATitleBeginsAParagraphByItself) {
  ManualPage page("x", "1", "x 1");
  page.section("NAME");
  page.paragraphs("one\n\ntwo");
  EXPECT_EQ(body(page), ".SH \"NAME\"\none\n.PP\ntwo\n");
}

TEST(Roff, IndentedLinesStayAsTheyAre) {
  ManualPage page("x", "1", "x 1");
  page.paragraphs("one\ntwo\n\n  a  b\n  c");
  EXPECT_EQ(body(page), ".PP\none two\n.PP\n.EX\n  a  b\n  c\n.EE\n");
}

}  // namespace
}  // namespace kvmscope
