// The program's own command line.

#include "commands/shell/program_options.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/commands/shell/shell.hpp"

namespace kvmscope {
namespace {

using Words = std::vector<std::string>;

ProgramOptions parse(const Words& words) {
  static const std::vector<Command> commands = test_commands();
  return parse_program(words, commands);
}

std::string error_of(const Words& words) {
  try {
    parse(words);
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
}

TEST(ProgramOptions, EndAtTheCommand) {
  const ProgramOptions options = parse(
      {"-c", "dump", "-s", "a", "--symbols", "b", "pages", "-c", "--level", "2", "-f", "csv"});
  EXPECT_EQ(options.core, "dump");
  EXPECT_EQ(options.symbols, (Words{"a", "b"}));
  EXPECT_EQ(options.settings.output.format, "table");
  EXPECT_EQ(options.command, (Words{"pages", "-c", "--level", "2", "-f", "csv"}));
}

TEST(ProgramOptions, ShapeTheOutput) {
  const ProgramOptions options = parse({"-f", "json", "-f", "csv", "-o", "a,b", "--sort=-a",
                                        "--no-header", "--raw-numbers", "--timing", "pages"});
  EXPECT_EQ(options.settings.output.format, "csv");
  EXPECT_EQ(options.settings.output.columns, "a,b");
  EXPECT_EQ(options.settings.output.sort, "-a");
  EXPECT_FALSE(options.settings.output.header);
  EXPECT_TRUE(options.settings.output.raw_numbers);
  EXPECT_TRUE(options.settings.timing);
}

TEST(ProgramOptions, KeepLinesAndScriptsInOrder) {
  const ProgramOptions options = parse({"-e", "vms", "-x", "s", "-e", "roots 0", "--script", "t"});
  EXPECT_EQ(options.lines, (Words{"vms", "roots 0"}));
  EXPECT_EQ(options.scripts, (Words{"s", "t"}));
  EXPECT_TRUE(options.command.empty());
}

TEST(ProgramOptions, ThatAreWrongSayWhatToDo) {
  EXPECT_EQ(error_of({"--bogus", "pages"}), "unknown option --bogus; see `kvmscope --help`");
  EXPECT_NE(error_of({"-c"}).find("see `kvmscope --help`"), std::string::npos);
  EXPECT_EQ(error_of({"-f", "xml", "pages"}),
            "no format 'xml'; there are: table, tree, json, jsonl, csv, dot, report, raw");
  EXPECT_EQ(error_of({"-e", "vms", "pages"}), "give either a command or -e and -x, not both");
  EXPECT_EQ(error_of({"/nonexistent/vmcore", "pages"}), "no such file: /nonexistent/vmcore");
  EXPECT_EQ(error_of({"/proc/self/status"}),
            "/proc/self/status is neither a command nor a dump nor a kernel's debug file");
}

TEST(ProgramOptions, HelpAndVersionAreToldApart) {
  EXPECT_NE(parse({"--help"}).help.find("--symbols"), std::string::npos);
  EXPECT_TRUE(parse({"--version"}).version);
  EXPECT_EQ(parse({}).help, "");
}

class Files : public testing::Test {
 protected:
  Files() {
    std::string name = (std::filesystem::temp_directory_path() / "kvmscope-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    vmlinux_ = file("vmlinux", elf(2));
    vmcore_ = file("vmcore", elf(4));
    kdump_ = file("dump.1", "KDUMP   and more than that");
  }
  ~Files() override { std::filesystem::remove_all(folder_); }
  static std::string elf(char type) {
    std::string bytes(
        "\x7f"
        "ELF\x02\x01\x01",
        7);
    bytes.resize(16);
    return bytes + type + std::string(47, '\0');
  }
  std::string file(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
    return folder_ + "/" + name;
  }
  std::string folder_, vmlinux_, vmcore_, kdump_;
};

TEST_F(Files, AsCrashUsersTypeThemAreToldApartByTheirContent) {
  for (const Words& words : {Words{vmlinux_, vmcore_}, Words{vmcore_, vmlinux_}}) {
    const ProgramOptions options = parse(words);
    EXPECT_EQ(options.core, vmcore_);
    EXPECT_EQ(options.symbols, Words{vmlinux_});
    EXPECT_TRUE(options.command.empty());
  }
  EXPECT_EQ(parse({kdump_}).core, kdump_);
}

TEST_F(Files, MayHaveOptionsAroundThemAndACommandBehind) {
  const ProgramOptions options =
      parse({"-s", "a", vmlinux_, "-s", "b", vmcore_, "-f", "json", "pages", "--level", "2"});
  EXPECT_EQ(options.core, vmcore_);
  EXPECT_EQ(options.symbols, (Words{"a", vmlinux_, "b"}));
  EXPECT_EQ(options.settings.output.format, "json");
  EXPECT_EQ(options.command, (Words{"pages", "--level", "2"}));
}

TEST_F(Files, TwoDumpsAreAnError) {
  EXPECT_EQ(error_of({vmcore_, kdump_}), "two dumps are given: " + vmcore_ + " and " + kdump_);
}

}  // namespace
}  // namespace kvmscope
