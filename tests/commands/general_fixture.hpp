// A session over a fake kernel, for tests of the commands that know nothing of KVM.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/catalogue.hpp"
#include "commands/shell/runner.hpp"
#include "commands/shell/session.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope {

class GeneralCommands : public testing::Test {
 protected:
  struct Result {
    int status = 0;
    std::string out;
    std::string messages;
  };

  GeneralCommands() {
    FakeTypes& types = kernel.types();
    types.enumeration("colour", {{"RED", 0}, {"GREEN", 1}, {"NOT_A_COLOUR", -1}});
    Type& bits = types.structure("", 4,
                                 {{"low", types.u32(), 0, 0, 3},
                                  {"", types.u32(), 0, 3, 1},
                                  {"high", types.u32(), 0, 4, 1}});
    types.structure(
        "item", 64,
        {{"number", types.s32(), 0},
         {"colour", types.named("enum colour"), 4},
         {"link", types.named("struct list_head"), 8},
         {"node", types.named("struct hlist_node"), 24},
         {"next", types.pointer("struct item"), 40},
         {"", types.union_type("", 4, {{"word", types.named("u32"), 0}, {"", bits, 0}}), 48},
         {"name", types.array(types.character(), 8), 52}});
    types.typedef_to("item_t", types.named("struct item"));
    types.typedef_to("pair_t",
                     types.structure("", 8, {{"a", types.s32(), 0}, {"b", types.s32(), 4}}));
    types.declared(TypeKind::structure, "hidden");
    kernel.set_variable("items", 0);
    kernel.memory().init_list(kernel.variable("items"));
  }

  // Appended to the list at `items`, whose type the debug info does not know.
  VirtAddr add_item(std::uint64_t number, std::uint64_t colour = 0) {
    FakeMemory& memory = kernel.memory();
    // Each in a page of its own, so that one can be left out.
    const VirtAddr at = memory.allocate_page();
    memory.set(at, "item", "number", number);
    memory.set(at, "item", "colour", colour);
    memory.write(at + 52, "kvm");
    memory.list_add_tail(at + 8, kernel.variable("items"));
    return at;
  }

  Session& session() {
    if (session_) return *session_;
    kernel.kernel();  // makes its symbols
    Target target{.path = "fake", .open = [this] { return kernel.dump(); }};
    if (offline) target = {};
    session_ = std::make_unique<Session>(target, kernel.finder(), commands, console);
    return *session_;
  }

  Result run(std::string_view line) {
    out.clear_text();
    errors.clear_text();
    Result result;
    result.status = run_line(session(), line);
    result.out = out.text();
    result.messages = errors.text();
    return result;
  }
  // The records of a command that goes well, from its JSON.
  nlohmann::json json(const std::string& line, int status = 0) {
    const Result result = run(line + " -f json");
    EXPECT_EQ(result.status, status) << result.messages;
    return nlohmann::json::parse(result.out);
  }
  static std::string hex(VirtAddr at) { return fmt::format("{:#x}", at.value); }

  FakeKernel kernel;
  bool offline = false;  // no target is given

 private:
  std::vector<Command> commands = {print(), type(), symbol(), read(), list()};
  Output out;
  Output errors;
  Messages messages{errors, false, false};
  Console console{.out = &out, .messages = messages};
  std::unique_ptr<Session> session_;
};

}  // namespace kvmscope
