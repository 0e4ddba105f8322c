// lua and run: limits, errors, objects, the model and the sandbox, on a kernel in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "commands/catalogue.hpp"
#include "commands/lua/interpreter.hpp"
#include "commands/shell/caught.hpp"
#include "commands/shell/runner.hpp"
#include "core/base/interrupt.hpp"
#include "tests/support/fake_kernel_scenario.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Lua : public testing::Test {
 protected:
  // Runs a program; what it printed. Errors are in `failure`.
  std::string run(std::string_view program, const std::vector<std::string>& arguments = {}) {
    out.clear_text();
    failure.reset();
    if (!session) {
      scenario.kernel.kernel();
      session = std::make_unique<Session>(
          Target{.path = "fake", .open = [this] { return scenario.kernel.dump(); }},
          scenario.kernel.finder(), commands, console);
      session->settings() = settings;
    }
    failure = caught([&] {
      lua::Interpreter interpreter(*session);
      status = interpreter.run(program, "test.lua", arguments);
    });
    return out.text();
  }
  // What a program that must fail says.
  std::string error(std::string_view program) {
    run(program);
    return failure ? failure->what() : "no error";
  }

  FakeScenario scenario;
  Settings settings;
  std::vector<Command> commands = catalogue();
  Output out;
  Output errors;
  Messages messages{errors, false, false};
  Console console{.out = &out, .messages = messages};
  std::unique_ptr<Session> session;
  std::optional<Error> failure;
  int status = 0;
};

TEST_F(Lua, RunsAProgramWithItsArguments) {
  EXPECT_EQ(run("print(arg[0], #arg, arg[2])", {"a", "b c"}), "test.lua\t2\tb c\n");
  EXPECT_FALSE(failure);
}

TEST_F(Lua, AnErrorNamesFileAndLine) {
  EXPECT_EQ(error("print(1)\nlocal x = nil\nprint(x.y)"),
            "test.lua:3: attempt to index a nil value (local 'x')");
  EXPECT_EQ(failure->kind(), ErrorKind::usage);
  EXPECT_THAT(error("x = = 1"), StartsWith("test.lua:1: "));
}

TEST_F(Lua, AMemberThatDoesNotExistIsAnErrorWithNearNames) {
  EXPECT_THAT(error("\nprint(vms()[1]:vcpus()[1].arch.mmmu)"),
              testing::AllOf(StartsWith("test.lua:2: "), HasSubstr("did you mean 'mmu'?")));
  EXPECT_EQ(failure->kind(), ErrorKind::usage);
  EXPECT_THAT(error("evaluate('nothing_like_it')"), HasSubstr("evaluating 'nothing_like_it'"));
  EXPECT_THAT(error("print(vms()[1]:roots()[1].nonsense)"), StartsWith("test.lua:1: "));
}

TEST_F(Lua, MembersAreReadThroughPointers) {
  EXPECT_EQ(run("local vcpu = vms()[1]:vcpus()[1]\n"
                "printf('%#x\\n', vcpu.arch.mmu.root.hpa)"),
            scenario.named("{current.hpa}\n"));
  EXPECT_EQ(run("print(vms()[1]:vcpus()[1].object.kvm == vms()[1].object)"), "true\n");
}

TEST_F(Lua, IntegersKeepAllTheirBits) {
  EXPECT_EQ(run("local last = evaluate('(unsigned long)-2')\n"
                "printf('%x %u %d\\n', last, last, last)\n"
                "printf('%d %d\\n', cast(-2, 'unsigned long'), cast(-2, 'int'))"),
            "fffffffffffffffe 18446744073709551614 -2\n18446744073709551614 -2\n");
}

TEST_F(Lua, PointersCalculateAsInC) {
  EXPECT_EQ(run("local p = cast(0x1000, 'unsigned long *')\n"
                "printf('%x %x %d\\n', p + 1, 2 + p, (p + 3) - p)\n"
                "print(p < p + 1, p == NULL, cast(0, 'int *') == NULL, p:is_null())"),
            "1008 1010 3\ntrue\tfalse\ttrue\tfalse\n");
}

TEST_F(Lua, ListsAreWalkedWithTheirTypes) {
  EXPECT_EQ(run("local n, unsync = 0, 0\n"
                "for sp in list(vms()[1].object.arch.active_mmu_pages, 'struct kvm_mmu_page',"
                " 'link') do n = n + 1 if sp.unsync then unsync = unsync + 1 end end\n"
                "print(n, unsync)"),
            "9\t2\n");
}

TEST_F(Lua, ABrokenListGivesWhatItHasAndThenTheError) {
  const VirtAddr link = scenario.synced.address;
  FakeMemory& memory = scenario.kernel.memory();
  memory.set(link, "kvm_mmu_page", "link.next", 0x123);
  const std::string text = run(
      "local n = 0\nlocal fine, problem = pcall(function()\n"
      "for sp in list(vms()[1].object.arch.active_mmu_pages, 'struct kvm_mmu_page', 'link') do\n"
      "n = n + 1 end end)\nprint(n > 0, fine, problem.kind)");
  EXPECT_EQ(text, "true\tfalse\tcorrupt\n") << (failure ? failure->what() : "");
}

TEST_F(Lua, TheModelHasVcpusRootsPagesAndWalks) {
  EXPECT_EQ(run("local vm = vms()[1]\n"
                "local root = vm:vcpus()[1]:roots()[2]\n"
                "print(root.name, root.valid, #vm:pages(), #vm:pages{unsync=true, level=1})\n"
                "local leaves = 0\n"
                "for entry in root:walk{level=1} do leaves = leaves + 1 end\n"
                "print(leaves, #root:path(0x8000200000), #root:unsync()[1].steps)"),
            "0.0.prev0\ttrue\t9\t2\n3\t4\t2\n")
      << (failure ? failure->what() : "");
}

TEST_F(Lua, SamplesRootsInOneRead) {
  EXPECT_EQ(run("local s = vms()[1]:vcpus()[1]:sample()\n"
                "printf('%#x %s %#x %s\\n', s.hpa, s.valid, s.prev[1].hpa, s.prev[2].valid)"),
            scenario.named("{current.hpa} true {root.hpa} false\n"))
      << (failure ? failure->what() : "");
}

TEST_F(Lua, CommandsGiveTheirRecordsAsTables) {
  EXPECT_EQ(run("local r = command('roots 0')\n"
                "print(#r, r.status, r[3].valid, r[3].hpa, r.columns[1])\n"
                "print(#cmd.pages('0', {level = 4}))"),
            "4\t0\tfalse\tnil\tvm\n2\n")
      << (failure ? failure->what() : "");
  EXPECT_THAT(error("command('pages 0 --lebel 1')"), HasSubstr("no option --lebel"));
  EXPECT_THAT(error("command('quit')"), HasSubstr("has no records"));
}

TEST_F(Lua, ALostFieldIsNoNumber) {
  scenario.kernel.memory().leave_out(scenario.synced.address + 16, 64);  // its list node is there
  EXPECT_EQ(run("for _, page in ipairs(command('pages 0')) do\n"
                "if is_lost(page.level) then print('lost', page.level.kind) end end"),
            "lost\tfault\n")
      << (failure ? failure->what() : "");
}

TEST_F(Lua, ErrorsOfTheTargetCanBeCaught) {
  EXPECT_EQ(run("local fine, problem = pcall(function()\n"
                "return deref(cast(0x1000, 'unsigned long *')) end)\n"
                "print(fine, problem.kind)\n"
                "print(select('#', pcall(error, 'x')))"),
            "false\tfault\n2\n");
}

TEST_F(Lua, AnEndlessProgramEndsAtItsTimeLimit) {
  settings.lua_time = std::chrono::milliseconds(100);
  for (const std::string_view program :
       {"while true do end", "while true do pcall(function() while true do end end) end",
        "local t = setmetatable({}, {__index = function() while true do end end}) print(t.x)"}) {
    EXPECT_THAT(error(program), HasSubstr("--lua-seconds")) << program;
    EXPECT_EQ(failure->kind(), ErrorKind::limit);
  }
}

TEST_F(Lua, CtrlCEndsAProgramWhateverItCatches) {
  set_interrupted();
  error("while true do pcall(function() while true do end end) end");
  clear_interrupted();
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind(), ErrorKind::interrupted);
}

TEST_F(Lua, MemoryHasALimit) {
  settings.lua_memory = 8 << 20;
  for (const std::string_view program :
       {"local t = {} while true do t[#t + 1] = {} end", "string.rep('x', 1 << 30)",
        "while true do pcall(string.rep, 'x', 1 << 30) end",
        "local s = 'x' while true do s = s .. s end"}) {
    EXPECT_THAT(error(program), HasSubstr("--lua-memory")) << program;
    EXPECT_EQ(failure->kind(), ErrorKind::limit);
  }
}

TEST_F(Lua, ThereAreNoFilesAndNoProcesses) {
  EXPECT_EQ(run("print(io, os, require, package, dofile, loadfile, debug, string.dump)"),
            "nil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\n");
  EXPECT_EQ(run("print(load('\\27Lua', 'x', 'b'))").substr(0, 4), "nil\t");
  EXPECT_THAT(error("command('source /etc/passwd')"), Not(HasSubstr("root:")));
  EXPECT_THAT(error("command('snapshot -o /tmp/x')"), HasSubstr("--unsafe-lua"));
  EXPECT_THAT(error("setmetatable({}, {__gc = print})"), HasSubstr("__gc"));
  settings.unsafe_lua = true;
  session.reset();
  EXPECT_EQ(run("print(type(io.open), type(os.getenv))"), "function\tfunction\n");
}

TEST_F(Lua, WhatIsPrintedIsHarmless) {
  EXPECT_EQ(run("print('a\\27[31m\\tb\\nc\\r')"), "a\\e[31m\tb\nc\\r\n");
}

TEST_F(Lua, FormatsAsC) {
  EXPECT_EQ(run("printf('%5.1f|%-4d|%04x|%s|%%|%c|%p\\n', 1.25, 7, 255, nil, 65, 0x10)"),
            "  1.2|7   |00ff|nil|%|A|0x10\n")
      << (failure ? failure->what() : "");
  EXPECT_EQ(run("print(#fmt('%s', 'a\\0b'), fmt('%5s', 'ab'))"), "3\t   ab\n");
  EXPECT_THAT(error("fmt('%5s', 'a\\0b')"), HasSubstr("zero bytes"));
  EXPECT_THAT(error("fmt('%d')"), HasSubstr("bad argument #2"));
  EXPECT_THAT(error("fmt('%y', 1)"), HasSubstr("there is no '%y'"));
  EXPECT_THAT(error("fmt('%99999d', 1)"), HasSubstr("too wide"));
}

TEST_F(Lua, WritesJson) {
  EXPECT_EQ(run("print(json({b = 1, a = {true, 'x\\n'}, c = -1}))"),
            "{\"a\": [true, \"x\\n\"], \"b\": 1, \"c\": 18446744073709551615}\n");
}

TEST_F(Lua, ExitHasAStatusThatNoPcallCatches) {
  run("pcall(exit, 1) print('not reached')");
  EXPECT_FALSE(failure);
  EXPECT_EQ(status, 1);
  EXPECT_EQ(out.text(), "");
}

TEST_F(Lua, NothingIsWritten) {
  EXPECT_THAT(error("vms()[1].object.users_count = 1"), HasSubstr("only reads"));
}

TEST_F(Lua, EveryFunctionOfItsHelpIsThereAndEveryFunctionIsInItsHelp) {
  // The names that Lua itself has, and what is no function.
  const std::string own =
      "_G _VERSION assert collectgarbage error getmetatable ipairs load math next pairs pcall "
      "rawequal rawget rawlen rawset select setmetatable string table tonumber tostring type utf8 "
      "xpcall ";
  const std::string names = run("for name in pairs(_G) do print(name) end");
  std::istringstream lines(names);
  const std::string help(
      commands[static_cast<std::size_t>(
                   std::find_if(commands.begin(), commands.end(),
                                [](const Command& c) { return c.name() == "lua"; }) -
                   commands.begin())]
          .details);
  for (std::string name; std::getline(lines, name);) {
    if (own.find(name + ' ') != std::string::npos) continue;
    EXPECT_TRUE(help.find("\n  " + name) != std::string::npos) << name;
  }
}

TEST(LuaCommands, ALineIsAnExpressionOrStatements) {
  FakeScenario scenario;
  EXPECT_EQ(run_text(scenario.kernel, "lua 1 + 1").text, "2\n");
  EXPECT_EQ(run_text(scenario.kernel, "lua for i = 1, 2 do print(i) end").text, "1\n2\n");
  EXPECT_EQ(run_text(scenario.kernel, "lua vms()[1].id").text, "95-4\n");
  EXPECT_EQ(run_text(scenario.kernel, "lua error('no')").status, 2);
  EXPECT_EQ(run_text(scenario.kernel, "lua for").status, 2);
  EXPECT_EQ(run_text(scenario.kernel, "lua exit(1)").status, 1);
}

TEST(LuaCommands, AFileIsRunWithItsArguments) {
  FakeScenario scenario;
  const TemporaryTree tree;
  std::ofstream(tree.path() + "/a.lua") << "#!/usr/bin/kvmscope\nprint(arg[1])\nerror('here')\n";
  const FakeOutcome outcome =
      run_text(scenario.kernel, fmt::format("run {}/a.lua -- --x", tree.path()));
  EXPECT_EQ(outcome.text, "--x\n");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.notes.at(0), HasSubstr("a.lua:3: here"));
  EXPECT_EQ(run_text(scenario.kernel, "run /no/such.lua").status, 3);
}

}  // namespace
}  // namespace kvmscope
