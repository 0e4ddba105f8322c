// What the word at the cursor could become.

#include "commands/shell/complete.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "commands/shell/complete_expression.hpp"
#include "core/object/object.hpp"
#include "tests/commands/shell/shell.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope {
namespace {

using Names = std::vector<std::string>;

// A session on a kernel in memory with two VMs.
struct KernelShell {
  FakeKernel kernel;
  std::unique_ptr<Shell> shell;

  KernelShell() {
    kernel.types().structure(
        "kvm_test", 16,
        {{"", kernel.types().structure("", 8, {{"inner_a", kernel.types().u64(), 0}}), 0},
         {"first", kernel.types().pointer("kvm_test"), 8}});
    FakeVm& vm = kernel.add_vm();
    const FakePage root = vm.add_page({.level = 4, .gfn = 0x100});
    vm.add_vcpu(0).run_on(root, 0x100000);
    kernel.add_vm();
    kernel.kernel();  // makes the symbols known
    shell = std::make_unique<Shell>(Target{"fake", [this] { return kernel.dump(); }});
    shell->finder.files = kernel.finder().files;
    shell->finder.map = kernel.finder().map;
  }
  Names complete_all(std::string_view line) {
    return complete(shell->session, line, line.size()).candidates;
  }
};

Names complete_all(std::string_view line) {
  Shell shell;
  return complete(shell.session, line, line.size()).candidates;
}

TEST(Completion, OfCommandsAndAliases) {
  EXPECT_EQ(complete_all("pa"), (Names{"pages", "path"}));
  EXPECT_EQ(complete_all("r"), (Names{"rd", "read"}));
  EXPECT_EQ(complete_all("zz"), Names{});
  EXPECT_GT(complete_all("").size(), 10U);
}

TEST(Completion, OfTheLastOfSeveralRules) {
  EXPECT_EQ(complete_all("needy --rule unsync-s"), Names{"unsync-stale"});
  EXPECT_EQ(complete_all("needy --rule hash,unsync-b"), Names{"unsync-bitmap"});
}

TEST(Completion, OfSubcommandsAndWhatTheyTake) {
  EXPECT_EQ(complete_all("trace "), (Names{"ev", "events", "load"}));
  EXPECT_EQ(complete_all("trace l"), Names{"load"});
  EXPECT_EQ(complete_all("trace load --f"), (Names{"--for", "--format"}));
  EXPECT_EQ(complete_all("trace zz --f"), Names{});
}

TEST(Completion, LooksOnlyAtWhatStandsLeftOfTheCursor) {
  Shell shell;
  const Completion found = complete(shell.session, "pa --level 2", 2);
  EXPECT_EQ(found.start, 0U);
  EXPECT_EQ(found.candidates, (Names{"pages", "path"}));
}

TEST(Completion, OfOptionsAndTheirValues) {
  EXPECT_EQ(complete_all("pages --l"), Names{"--level"});
  EXPECT_EQ(complete_all("pages --"),
            (Names{"--columns", "--drgn", "--format", "--level", "--no-header", "--raw-numbers",
                   "--sort", "--unsync"}));
  EXPECT_EQ(complete_all("pages -f js"), (Names{"json", "jsonl"}));
  EXPECT_EQ(complete_all("pages --format c"), Names{"csv"});
  EXPECT_EQ(complete_all("pages -o na"), Names{"name"});
  EXPECT_EQ(complete_all("pages --sort -va"), Names{"value"});
  EXPECT_EQ(complete_all("pages --level "), Names{});
  EXPECT_EQ(complete_all("print kvm -f js"), (Names{"json", "jsonl"}));
  EXPECT_EQ(complete_all("print kvm --no"), Names{"--no-header"});
}

TEST(Completion, OfListsReplacesTheLastName) {
  Shell shell;
  const Completion found = complete(shell.session, "pages -o name,va", 16);
  EXPECT_EQ(found.start, 14U);
  EXPECT_EQ(found.candidates, Names{"value"});
  EXPECT_FALSE(found.ends_word);
}

TEST(Completion, OfSettings) {
  EXPECT_EQ(complete_all("set fo"), Names{"format"});
  EXPECT_EQ(complete_all("set pager "), (Names{"off", "on"}));
  EXPECT_EQ(complete_all("set format d"), Names{"dot"});
}

TEST(Completion, OfFilesBehindRedirections) {
  std::string name = (std::filesystem::temp_directory_path() / "kvmscope-XXXXXX").string();
  const std::string folder = mkdtemp(name.data());
  std::ofstream(folder + "/some.txt");
  std::filesystem::create_directory(folder + "/sub");
  EXPECT_EQ(complete_all("pages > " + folder + "/s"),
            (Names{folder + "/some.txt", folder + "/sub/"}));
  EXPECT_EQ(complete_all("source " + folder + "/so"), Names{folder + "/some.txt"});
  EXPECT_EQ(complete_all("pages | le"), Names{});
  std::filesystem::remove_all(folder);
}

TEST(Completion, WithoutATargetKnowsNoVms) {
  EXPECT_EQ(complete_all("pages "), Names{});
}

TEST(Completion, OfVmsAndRoots) {
  KernelShell shell;
  const Names vms = shell.complete_all("pages ");
  EXPECT_NE(std::find(vms.begin(), vms.end(), "0"), vms.end());
  EXPECT_NE(std::find(vms.begin(), vms.end(), "1"), vms.end());
  EXPECT_EQ(shell.complete_all("path 0."), Names{"0.0"});
  EXPECT_EQ(shell.complete_all("path 1."), Names{});
}

TEST(Completion, OfTypes) {
  KernelShell shell;
  EXPECT_EQ(shell.complete_all("list head struct kvm_te"), Names{"kvm_test"});
  EXPECT_EQ(shell.complete_all("print sizeof(struct kvm_te"), Names{"kvm_test"});
  EXPECT_EQ(shell.complete_all("list head str"), Names{"struct"});
}

TEST(Completion, OfMembersByTheTypeOfWhatStandsLeft) {
  KernelShell shell;
  const Type& type = *shell.kernel.types().find(TypeKind::structure, "kvm_test");
  Session& session = shell.shell->session;
  session.variables().emplace(
      "page", Object::reference(session.types(), session.kernel().memory(), type, {0x1000}));
  EXPECT_EQ(shell.complete_all("print $page."), (Names{"first", "inner_a"}));
  EXPECT_EQ(shell.complete_all("print 1 + (&$page)->fi"), Names{"first"});
  EXPECT_EQ(shell.complete_all("print ((struct kvm_test *)0x10)->in"), Names{"inner_a"});
  EXPECT_EQ(shell.complete_all("print $pa"), Names{"page"});
}

TEST(Completion, OfSymbols) {
  KernelShell shell;
  EXPECT_EQ(shell.complete_all("print vm_li"), Names{"vm_list"});
}

TEST(Completion, FindsTheOperandOfAMember) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"a->b", "a"},
      {"a -> ", "a"},
      {"1 + a.b->c", "a.b"},
      {"f(a)[1 + 2].b", "f(a)[1 + 2]"},
      {"x + (*a)->b", "(*a)"},
      {"*a->", "a"},
      {"$vm->arch.", "$vm->arch"},
      {"a ? b->c : d->e", "d"},
      {"container_of(p, struct q, r)->x", "container_of(p, struct q, r)"},
      {"a[b->", "b"},
      {"f(a, b->c", "b"},
  };
  for (const auto& [text, operand] : cases) EXPECT_EQ(operand_of_member(text), operand) << text;
  for (const std::string_view text : {"", "a", "a - > b", "->x", ".", "1.5", "a > b", ")->", "]."})
    EXPECT_TRUE(!operand_of_member(text) || *operand_of_member(text) == text.substr(0, 1)) << text;
}

TEST(Completion, SurvivesAnyLine) {
  Shell shell;
  const std::string_view pieces[] = {"print ", "->", ".", "(", ")", "[", "]",       "'",  "\"",
                                     "|",      ">",  " ", "$", "-", "a", "struct ", "\\", "#"};
  for (const std::string_view a : pieces)
    for (const std::string_view b : pieces)
      for (const std::string_view c : pieces) {
        const std::string line = fmt::format("print {}{}{}", a, b, c);
        try {
          complete(shell.session, line, line.size());
          complete(shell.session, line, line.size() / 2);
        } catch (const Error&) {
          // Of the expression: readline's callback rings the bell.
        }
      }
}

}  // namespace
}  // namespace kvmscope
