// Words, quotes, comments and redirections of a line.

#include "commands/shell/lexer.hpp"

#include <gtest/gtest.h>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

std::vector<std::string> texts(std::string_view line) {
  std::vector<std::string> texts;
  for (const Word& word : split_words(line)) texts.push_back(word.text);
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Words, EndAtBlanksOutsideQuotesParenthesesAndBrackets) {
  EXPECT_EQ(texts(""), Texts{});
  EXPECT_EQ(texts(" \t "), Texts{});
  EXPECT_EQ(texts(" vms  3\t4 "), (Texts{"vms", "3", "4"}));
  EXPECT_EQ(texts("set columns \"a b\" 'c d'"), (Texts{"set", "columns", "a b", "c d"}));
  EXPECT_EQ(texts("a\"b c\"d"), (Texts{"ab cd"}));
  EXPECT_EQ(texts("\"\" x"), (Texts{"", "x"}));
  EXPECT_EQ(texts(R"("a \"b\" \\ \n")"), (Texts{R"(a "b" \ \n)"}));
  EXPECT_EQ(texts("list (a + b) x[1, 2].y z"), (Texts{"list", "(a + b)", "x[1, 2].y", "z"}));
  EXPECT_EQ(texts(") a"), (Texts{")", "a"}));
  EXPECT_EQ(texts("(a b"), (Texts{"(a b"}));
}

TEST(Words, KnowWhereTheyStand) {
  const std::vector<Word> words = split_words("ab 'c d'");
  EXPECT_EQ(words[1].start, 3U);
  EXPECT_EQ(words[1].end, 8U);
  EXPECT_TRUE(words[1].quoted);
  EXPECT_FALSE(words[0].quoted);
}

TEST(Words, AnOpenQuoteIsAnErrorUnlessTheLineIsStillTyped) {
  try {
    split_words("ab 'c d");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_EQ(error.column(), 3U);
  }
  EXPECT_EQ(split_unfinished("ab 'c d").back().text, "c d");
}

struct Case {
  std::string_view line;
  std::string_view command;
  Redirection::Kind kind = Redirection::Kind::none;
  std::string_view target = "";
};

TEST(Redirections, NeedBlanksAroundThemAndStandOutsideQuotesAndParentheses) {
  using Kind = Redirection::Kind;
  const Case cases[] = {
      {"vms", "vms"},
      {"vms | less", "vms ", Kind::pipe, "less"},
      {"vms |", "error"},
      {"vms | grep a | sort > x", "vms ", Kind::pipe, "grep a | sort > x"},
      {"vms | grep '# x'  ", "vms ", Kind::pipe, "grep '# x'"},
      {"vms > out.txt", "vms ", Kind::write, "out.txt"},
      {"vms >> out.txt", "vms ", Kind::append, "out.txt"},
      {"vms > 'a b'  # to a file", "vms ", Kind::write, "a b"},
      {"vms > a b", "error"},
      {"vms > a > b", "error"},
      {"vms > ", "error"},
      {"vms > > b", "error"},
      {"print a|b", "print a|b"},
      {"print a>b", "print a>b"},
      {"print a |b", "print a |b"},
      {"print a>> b", "print a>> b"},
      {"print a->b", "print a->b"},
      {"print (a | b)", "print (a | b)"},
      {"print (a > (b)) | less", "print (a > (b)) ", Kind::pipe, "less"},
      {"print 'a | b'", "print 'a | b'"},
      {"print \"a > b\"", "print \"a > b\""},
      {"print \"\\\" > \" > f", "print \"\\\" > \" ", Kind::write, "f"},
      {"print a || b", "print a || b"},
      {"print a >= b", "print a >= b"},
      {"# only a comment", ""},
      {"vms # comment | less", "vms "},
      {"vms a#b", "vms a#b"},
      {"vms '# x'", "vms '# x'"},
      {"| less", "", Kind::pipe, "less"},
      {"> f", "", Kind::write, "f"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.line);
    if (one.command == "error") {
      EXPECT_THROW(split_line(one.line), Error);
      continue;
    }
    const SplitLine split = split_line(one.line);
    EXPECT_EQ(split.command, one.command);
    EXPECT_EQ(split.redirection.kind, one.kind);
    EXPECT_EQ(split.redirection.target, one.target);
  }
}

TEST(Redirections, OfTwoTheSecondIsPointedAt) {
  try {
    split_line("vms > a > b");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.column(), 8U);
    EXPECT_STREQ(error.what(), "only one redirection is possible");
  }
}

}  // namespace
}  // namespace kvmscope
