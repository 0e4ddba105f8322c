// The manual page has all that is declared, and every status that there is.

#include "commands/manual.hpp"

#include <gtest/gtest.h>

#include <set>

#include "commands/catalogue.hpp"
#include "commands/output/roff.hpp"
#include "commands/shell/program_options.hpp"
#include "commands/usage.hpp"
#include "core/base/error.hpp"

namespace kvmscope {
namespace {

bool has(const std::string& page, std::string_view text) {
  return page.find(roff_text(text)) != std::string::npos;
}

TEST(Manual, HasEveryCommandWithItsOptionsAndFields) {
  const std::vector<Command> commands = catalogue();
  const std::string page = manual(commands);
  std::vector<Command> all = commands;
  for (const Command& command : commands)
    all.insert(all.end(), command.subcommands.begin(), command.subcommands.end());
  for (const Command& command : all) {
    SCOPED_TRACE(command.full_name());
    EXPECT_TRUE(has(page, usage(command)));
    for (const Option& option : command.options) EXPECT_TRUE(has(page, option.name));
    for (const Column& column : command.columns) {
      if (column.form_only) continue;
      EXPECT_NE(page.find("\n" + roff_bold(column.name) + "\n"), std::string::npos) << column.name;
    }
    for (const std::string_view example : command.examples) EXPECT_TRUE(has(page, example));
  }
}

TEST(Manual, HasEveryOptionOfTheProgram) {
  const std::string page = manual(catalogue());
  std::set<std::string> names;
  for (const ProgramOption& option : program_options()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_FALSE(option.help.empty()) << option.name;
    EXPECT_TRUE(has(page, option.name)) << option.name;
  }
  for (const char* name : {"--core", "--symbols", "--format", "--strict", "--help", "--version"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(Manual, SwitchesTakeNoValue) {
  for (const ProgramOption& option : program_options()) {
    if (option.name == "--strict") {
      EXPECT_EQ(option.value, "");
    } else if (option.name == "--core") {
      EXPECT_EQ(option.value, "FILE");
      EXPECT_EQ(option.short_name, "-c");
    }
  }
}

TEST(Manual, KnowsEveryStatus) {
  for (const ErrorKind kind :
       {ErrorKind::usage, ErrorKind::unavailable, ErrorKind::fault, ErrorKind::corrupt,
        ErrorKind::torn, ErrorKind::limit, ErrorKind::internal, ErrorKind::interrupted}) {
    bool found = false;
    for (const ManualEntry& entry : manual_statuses())
      found = found || entry.name == std::to_string(exit_status(kind));
    EXPECT_TRUE(found) << exit_status(kind);
  }
}

}  // namespace
}  // namespace kvmscope
