// help, over the whole catalogue.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "commands/catalogue.hpp"
#include "commands/shell/arguments.hpp"
#include "commands/shell/runner.hpp"
#include "tests/support/fake_kernel_target.hpp"

namespace kvmscope {
namespace {

struct Answer {
  int status = 0;
  std::string out;
  std::string errors;
};

Answer answer(std::string_view line) {
  const std::vector<Command> commands = catalogue();
  const FakeFinder finder;
  Output out;
  Output errors;
  Messages messages(errors, false, false);
  Console console{.out = &out, .messages = messages};
  Session session({}, finder, commands, console);
  const int status = run_line(session, line);
  return {status, out.text(), errors.text()};
}

// Those that do something: sub-commands instead of the command that has them.
std::vector<Command> all_commands() {
  std::vector<Command> all;
  for (const Command& command : catalogue()) {
    if (command.subcommands.empty()) all.push_back(command);
    all.insert(all.end(), command.subcommands.begin(), command.subcommands.end());
  }
  return all;
}

TEST(Help, ListsEveryCommandOnce) {
  const Answer all = answer("help");
  EXPECT_EQ(all.status, 0);
  for (const Command& command : all_commands())
    EXPECT_NE(all.out.find(fmt::format("  {:<12} {}\n", command.full_name(), command.summary)),
              std::string::npos)
        << command.full_name();
}

TEST(Help, OfACommandWithCommandsOfItsOwn) {
  const Answer group = answer("help trace");
  EXPECT_EQ(group.status, 0);
  EXPECT_TRUE(group.out.starts_with("trace COMMAND\n")) << group.out;
  EXPECT_NE(group.out.find("\nCommands:\n  trace load "), std::string::npos) << group.out;
  const Answer one = answer("help trace load");
  EXPECT_TRUE(one.out.starts_with("trace load [OPTION...] [VM]\n")) << one.out;
  EXPECT_EQ(answer("help trace lod").errors,
            "kvmscope: unknown command 'trace lod'; did you mean load?\n");
  EXPECT_EQ(answer("help vms load").errors,
            "kvmscope: vms has no commands of its own, such as 'load'\n");
}

TEST(Help, SaysAllAboutOneCommand) {
  EXPECT_EQ(answer("help history").out, R"(history [COUNT]
  list the lines typed so far

Arguments:
  COUNT  how many, the newest ones; 50 when left out

Options of every command:
  -f, --format NAME   table, tree, json, jsonl, csv, dot or report
  -o, --columns LIST  columns or fields to show: A,B, +A (one more) or all
  --sort COL          sort by a field or column; -COL or COL:desc: descending
  --no-header         no header line
  --raw-numbers       numbers instead of hex strings in JSON and CSV
  --drgn              what drgn and crash get at the same objects with, instead

Fields (keys in JSON, names for -o and --sort):
  number  counted from 1, the oldest
  line    as it was typed

Examples:
  history
  history 200 | grep roots

Needs neither a target nor debug info.
)");
  EXPECT_NE(answer("help quit").out.find("Also called q, exit."), std::string::npos);
}

TEST(Help, IsMachineReadable) {
  const nlohmann::json all = nlohmann::json::parse(answer("help -f json").out);
  EXPECT_EQ(all.size(), all_commands().size());
  EXPECT_TRUE(all[0]["text"].is_null());
  const nlohmann::json one = nlohmann::json::parse(answer("help set -f json").out);
  EXPECT_EQ(one[0]["usage"], "set [NAME] [VALUE]");
  EXPECT_TRUE(one[0]["text"].is_string());
}

TEST(Help, OfAnUnknownCommandProposesOthers) {
  const Answer wrong = answer("help rots");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_EQ(wrong.errors, "kvmscope: unknown command 'rots'; did you mean roots?\n");
}

TEST(Catalogue, NamesAndOptionsAreUniqueAndDescribed) {
  std::set<std::string> names;
  for (const Command& command : all_commands()) {
    SCOPED_TRACE(command.full_name());
    for (const std::string_view name : command.names)
      EXPECT_TRUE(names.insert(fmt::format("{} {}", command.group, name)).second);
    EXPECT_FALSE(command.summary.empty() || command.summary.ends_with('.'));
    EXPECT_TRUE(command.run);
    std::set<std::string_view> options;
    for (const Option& option : command.options) {
      EXPECT_TRUE(options.insert(option.name).second);
      EXPECT_TRUE(option.name.starts_with('-'));
      // A command without records has none that these could shape.
      for (const OutputOption& shared : output_options())
        EXPECT_TRUE(command.columns.empty() ||
                    (option.name != shared.name && option.name != shared.short_name));
    }
    bool optional = false;
    for (const Argument& argument : command.arguments) {
      EXPECT_TRUE(argument.optional || !optional) << "a required argument after an optional one";
      optional = argument.optional;
    }
  }
}

TEST(Catalogue, SubcommandsBelongToTheirCommand) {
  for (const Command& command : catalogue()) {
    EXPECT_EQ(command.subcommands.empty(), static_cast<bool>(command.run)) << command.name();
    for (const Command& sub : command.subcommands) EXPECT_EQ(sub.group, command.name());
  }
}

TEST(Catalogue, ExamplesAreValidLines) {
  const std::vector<Command> commands = catalogue();
  for (const Command& command : all_commands())
    for (const std::string_view example : command.examples) {
      SCOPED_TRACE(example);
      const SplitLine split = split_line(example);
      const ParsedLine parsed = parse_line(commands, split.command, split_words(split.command), {});
      EXPECT_EQ(parsed.command->full_name(), command.full_name());
    }
}

TEST(Set, ListsShowsAndChanges) {
  EXPECT_NE(answer("set").out.find("format       table"), std::string::npos);
  EXPECT_EQ(answer("set format --no-header").out, "format  table  how results are written (-f)\n");
  EXPECT_EQ(answer("set format csv").out, "");
  EXPECT_EQ(answer("set format xml").status, 2);
  EXPECT_EQ(answer("set colour").status, 2);
}

TEST(SetAndHistory, WorkOnTheSession) {
  const std::vector<Command> commands = catalogue();
  const FakeFinder finder;
  Output out;
  Output errors;
  Messages messages(errors, false, false);
  Console console{.out = &out, .messages = messages};
  Session session({}, finder, commands, console);
  session.history().add("vms");
  session.history().add("roots 0");
  EXPECT_EQ(run_line(session, "set format jsonl"), 0);
  EXPECT_EQ(run_line(session, "history 1"), 0);
  EXPECT_EQ(out.text(), "{\"number\": 2, \"line\": \"roots 0\"}\n");
  EXPECT_FALSE(session.quitting());
  EXPECT_EQ(run_line(session, "q"), 0);
  EXPECT_TRUE(session.quitting());
  EXPECT_EQ(errors.text(), "");
}

}  // namespace
}  // namespace kvmscope
