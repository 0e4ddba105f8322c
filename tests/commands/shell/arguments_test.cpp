// Arguments and options, checked against what a command declares.

#include "commands/shell/arguments.hpp"

#include <gtest/gtest.h>

#include "tests/commands/shell/shell.hpp"

namespace kvmscope {
namespace {

const std::vector<Command>& commands() {
  static const std::vector<Command> all = test_commands();
  return all;
}

ParsedLine parse(std::string_view line) {
  return parse_line(commands(), line, split_words(line), {});
}

// "message @column"
std::string error_of(std::string_view line) {
  try {
    parse(line);
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.column() ? fmt::format("{} @{}", error.what(), *error.column()) : error.what();
  }
}

TEST(Arguments, OptionsComeBeforeAndBehindThem) {
  for (const char* line : {"pages 3 --level 2 --unsync", "pages --level=2 --unsync 3",
                           "pages --unsync --level 0x2 3"}) {
    const Arguments args = parse(line).args;
    EXPECT_EQ(args.text("VM"), "3");
    EXPECT_EQ(args.number("--level"), 2U);
    EXPECT_TRUE(args.has("--unsync"));
  }
  const Arguments none = parse("pages").args;
  EXPECT_EQ(none.text("VM"), std::nullopt);
  EXPECT_EQ(none.number("--level"), std::nullopt);
  EXPECT_FALSE(none.has("--unsync"));
}

TEST(Arguments, OptionsThatShapeOutputWorkAfterEveryCommand) {
  const ParsedLine parsed =
      parse("pages -f json 3 -o sp,gfn --sort -level --no-header --raw-numbers --drgn");
  EXPECT_EQ(parsed.output.format, "json");
  EXPECT_EQ(parsed.output.columns, "sp,gfn");
  EXPECT_EQ(parsed.output.sort, "-level");
  EXPECT_FALSE(parsed.output.header);
  EXPECT_TRUE(parsed.output.raw_numbers);
  EXPECT_TRUE(parsed.output.drgn);
  EXPECT_EQ(parsed.args.text("VM"), "3");
  EXPECT_EQ(parse("pages --format=csv --columns=+gfn").output.columns, "+gfn");
}

TEST(Arguments, ExpressionsTakeTheRestOfTheLineAsItIs) {
  const auto expression = [](std::string_view line) {
    return parse(line).args.text("EXPRESSION").value_or("none");
  };
  EXPECT_EQ(expression("print  a ->  b[ 'c' ] + \"d\"  "), "a ->  b[ 'c' ] + \"d\"");
  EXPECT_EQ(expression("print --hex a --b"), "a --b");
  EXPECT_EQ(expression("print -x + 1"), "-x + 1");
  EXPECT_EQ(expression("print -1"), "-1");
  EXPECT_EQ(expression("print -- --x"), "--x");
  EXPECT_EQ(expression("print a -f"), "a -f");
  EXPECT_EQ(expression("print a - d"), "a - d");
}

TEST(Arguments, OptionsAtTheEndOfAnExpressionAreOptions) {
  const ParsedLine parsed = parse("print kvm->arch -f json --no-header");
  EXPECT_EQ(parsed.args.text("EXPRESSION"), "kvm->arch");
  EXPECT_EQ(parsed.output.format, "json");
  EXPECT_FALSE(parsed.output.header);
  EXPECT_EQ(parse("print -d 2 a --hex").args.number("-d"), 2U);
  EXPECT_EQ(parse("print -- a -f json").args.text("EXPRESSION"), "a -f json");
}

TEST(Arguments, AnExpressionThatIsNotTheLastOneEndsAtABlankOutsideParentheses) {
  const Arguments args = parse("list &vm[1 + 2].list struct kvm_mmu_page").args;
  EXPECT_EQ(args.text("HEAD"), "&vm[1 + 2].list");
  EXPECT_EQ(args.text("TYPE"), "struct kvm_mmu_page");
}

TEST(Arguments, ColumnsOfErrorsCountFromTheExpression) {
  EXPECT_EQ(parse("print --hex  kvm").text_start, 13U);
  EXPECT_EQ(parse("pages 3").text_start, 5U);
}

TEST(Arguments, TheLastOneMayBeRepeated) {
  const Arguments args = parse("read 1 0x20 ffff888000000000").args;
  EXPECT_EQ(args.all("NUMBER"), (std::vector<std::string>{"1", "0x20", "ffff888000000000"}));
}

TEST(Arguments, ErrorsPointAtTheWordAndSayWhatToDo) {
  EXPECT_EQ(error_of("pges"), "unknown command 'pges'; did you mean pages? @0");
  EXPECT_EQ(error_of("frobnicate"), "unknown command 'frobnicate'; `help` lists the commands @0");
  EXPECT_EQ(error_of("pages --levl 2"),
            "pages: no option --levl; did you mean --level; see `help pages` @6");
  EXPECT_EQ(error_of("pages -z"), "pages: no option -z; see `help pages` @6");
  EXPECT_EQ(error_of("pages --level"), "pages: --level needs a value; see `help pages` @13");
  EXPECT_EQ(error_of("pages --unsync=1"), "pages: --unsync takes no value; see `help pages` @14");
  EXPECT_EQ(error_of("pages 1 2"), "pages: too many arguments; see `help pages` @8");
  EXPECT_EQ(error_of("quit now"), "quit: takes no arguments; see `help quit` @5");
  EXPECT_EQ(error_of("path 0.0"), "path: ADDRESS is missing; see `help path` @8");
  EXPECT_EQ(error_of("print"), "print: EXPRESSION is missing; see `help print` @5");
  EXPECT_EQ(error_of("pages --level two"),
            "'two' is not a number: write 0x…, decimal, or 16 hex digits @14");
  EXPECT_EQ(error_of("pages -f xml"),
            "no format 'xml'; there are: table, tree, json, jsonl, csv, dot, report, raw @9");
}

TEST(Commands, AreFoundByNameAliasAndUniqueBeginning) {
  EXPECT_EQ(find_command(commands(), "p").name(), "print");
  EXPECT_EQ(find_command(commands(), "rd").name(), "read");
  EXPECT_EQ(find_command(commands(), "pag").name(), "pages");
  EXPECT_EQ(match_command(commands(), "pa"), nullptr);
  EXPECT_EQ(match_command(commands(), ""), nullptr);
  EXPECT_EQ(error_of("pa"), "'pa' is short for several commands: pages, path @0");
}

TEST(Seconds, AreDecimalNumbersFromAMillisecondOn) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_seconds("2"), 2s);
  EXPECT_EQ(parse_seconds("0.25"), 250ms);
  EXPECT_EQ(parse_seconds("0.001"), 1ms);
  for (const char* text :
       {"", "0", "0.0001", "-1", "1e3", "nan", "inf", "2s", "1e999", "99999999999"})
    EXPECT_THROW(parse_seconds(text), Error) << text;
}

TEST(Numbers, AreWrittenInThreeWays) {
  EXPECT_EQ(parse_number("10"), 10U);
  EXPECT_EQ(parse_number("0x1F"), 0x1fU);
  EXPECT_EQ(parse_number("ffff888000000000"), 0xffff888000000000U);
  EXPECT_EQ(parse_number("0000000000000010"), 0x10U);
  EXPECT_EQ(parse_number("18446744073709551615"), ~0ULL);
  for (const char* text : {"", "0x", "-1", "+1", "1f", "10 ", "0xg", "18446744073709551616",
                           "0x10000000000000000", "1.5"})
    EXPECT_THROW(parse_number(text), Error) << text;
}

TEST(Arguments, SubcommandsHaveTheirOwn) {
  const ParsedLine load = parse("trace load 3 --for 5");
  EXPECT_EQ(load.command->full_name(), "trace load");
  EXPECT_EQ(load.args.text("VM"), "3");
  EXPECT_EQ(load.args.number("--for"), 5U);
  EXPECT_EQ(parse("trace lo").command->name(), "load");
  EXPECT_EQ(parse("tra ev a->b").args.text("EXPRESSION"), "a->b");
}

TEST(Arguments, ErrorsNameTheSubcommand) {
  EXPECT_EQ(error_of("trace"), "trace: say which: load or events; see `help trace` @5");
  EXPECT_EQ(error_of("trace  lod"), "unknown command 'trace lod'; did you mean load? @7");
  EXPECT_EQ(error_of("trace zzzzzz"),
            "unknown command 'trace zzzzzz'; `help trace` lists the commands @6");
  EXPECT_EQ(error_of("trace load --fro 1"),
            "trace load: no option --fro; did you mean --for; see `help trace load` @11");
  EXPECT_EQ(error_of("trace load 1 2"),
            "trace load: too many arguments; see `help trace load` @13");
}

}  // namespace
}  // namespace kvmscope
