// Functions, inlined copies, calls and lines, in C compiled here.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "dwarf/debug_file.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

// walk_all() calls walk() through an inlined function, as KVM's mmu_zap_unsync_children() does.
constexpr const char* walks = R"(
struct list { int nr; int entry[16]; };
int walk(int root, struct list *list);
static inline __attribute__((always_inline)) int start(int root, struct list *list) {
  list->nr = 0;
  if (!root) return 0;
  return walk(root, list);
}
int walk_all(int root) {
  struct list list;
  int found = 0;
  while (start(root, &list)) found += list.nr;
  return found + root;
}
int __attribute__((section(".init.text"))) walk_once(int root) {
  struct list list;
  if (!start(root, &list)) return 0;
  return list.nr + 1;
}
int untouched(void) { return 7; }
)";
constexpr unsigned found_line = 12;  // while (start(…)) found += …

constexpr const char* compilers[] = {"gcc -O2 -gdwarf-5", "gcc -O2 -gdwarf-4",
                                     "clang -O2 -gdwarf-5", "clang -O2 -gdwarf-4"};

std::vector<std::string> names(const std::vector<CodeBlock>& blocks) {
  std::vector<std::string> names;
  for (const CodeBlock& block : blocks) names.push_back(block.name + " in " + block.inside);
  return names;
}

class CodeFunctions : public testing::TestWithParam<const char*> {
 protected:
  const CodeSource& module(const std::vector<std::pair<std::string, std::string>>& units) {
    file_ = open_debug_file(folder_.module("kvm.ko", units, GetParam()));
    return file_->code();
  }
  // What a disassembler says of the instruction at a place of .text or .init.text.
  std::string instruction(const CodePlace& place) const {
    folder_.run(
        fmt::format("objdump -dr kvm.ko --disassemble={} | grep -A1 -E '^ *'$(printf %x "
                    "$((0x$(nm kvm.ko | grep ' {}$' | cut -d' ' -f1) + {})))':' > text",
                    place.symbol, place.symbol, place.offset));
    return folder_.read("text");
  }

  TemporaryFolder folder_;
  std::unique_ptr<DebugFile> file_;
};

TEST_P(CodeFunctions, KnowsEachCopyOfAFunction) {
  const CodeSource& code = module({{"walk.c", walks}});
  EXPECT_THAT(names(code.copies("walk_all")), ElementsAre("walk_all in walk_all"));
  EXPECT_THAT(names(code.copies("start")),
              testing::UnorderedElementsAre("start in walk_all", "start in walk_once"));
  EXPECT_THAT(code.copies("walk"), IsEmpty());  // only declared here
  EXPECT_THAT(code.copies("nothing"), IsEmpty());
  for (const CodeBlock& copy : code.copies("start")) {
    EXPECT_TRUE(copy.is_inlined);
    EXPECT_EQ(copy.entry.symbol, copy.inside);
  }
}

TEST_P(CodeFunctions, ThePlaceOfAFunctionIsItsSymbol) {
  const CodeSource& code = module({{"walk.c", walks}});
  for (const char* name : {"walk_all", "walk_once", "untouched"}) {
    const std::vector<CodeBlock> copies = code.copies(name);
    ASSERT_THAT(copies, SizeIs(1)) << name;
    EXPECT_EQ(copies.front().entry.symbol, name);
    EXPECT_EQ(copies.front().entry.offset, 0u);
  }
}

TEST_P(CodeFunctions, SectionsOfAModuleDoNotOverlap) {
  const CodeSource& code = module({{"walk.c", walks}});
  const CodeBlock init = code.copies("walk_once").front();
  for (const char* name : {"walk_all", "untouched"}) {
    const CodeBlock block = code.copies(name).front();
    for (const CodeRange& range : block.ranges)
      EXPECT_TRUE(range.end <= init.ranges.front().begin || range.begin >= init.ranges.front().end);
  }
  EXPECT_THAT(names(code.blocks_at(init.entry.address)).front(), "walk_once in walk_once");
}

TEST_P(CodeFunctions, FindsCallsInsideInlinedFunctions) {
  const CodeSource& code = module({{"walk.c", walks}});
  for (const char* name : {"walk_all", "walk_once"}) {
    const CodeBlock function = code.copies(name).front();
    const std::vector<CodeCall> calls = code.calls(function, "walk");
    ASSERT_THAT(calls, SizeIs(Ge(1u))) << name;
    EXPECT_EQ(calls.front().instruction.symbol, name);
    EXPECT_EQ(calls.front().after.offset, calls.front().instruction.offset + 5);
    EXPECT_THAT(instruction(calls.front().instruction),
                AllOf(HasSubstr("call"), HasSubstr("walk")));
    const std::vector<CodeBlock> inlined = code.inlined(function, "start");
    ASSERT_THAT(inlined, SizeIs(Ge(1u)));
    EXPECT_EQ(code.calls(inlined.front(), "walk").size(), calls.size());
    EXPECT_THAT(code.calls(function, "untouched"), IsEmpty());
  }
}

TEST_P(CodeFunctions, AnAddressHasTheBlocksThatHoldIt) {
  const CodeSource& code = module({{"walk.c", walks}});
  const CodeBlock function = code.copies("walk_all").front();
  const CodeCall call = code.calls(function, "walk").front();
  EXPECT_THAT(names(code.blocks_at(call.instruction.address)),
              ElementsAre("walk_all in walk_all", "start in walk_all"));
  EXPECT_THAT(code.blocks_at(function.ranges.front().end + 0x100000), IsEmpty());
}

TEST_P(CodeFunctions, FindsTheCodeOfALine) {
  const CodeSource& code = module({{"walk.c", walks}});
  const std::vector<LinePlace> places = code.lines("walk.c", found_line);
  ASSERT_THAT(places, SizeIs(Ge(1u)));
  EXPECT_EQ(places.front().place.symbol, "walk_all");
  EXPECT_THAT(code.line_at(places.front().place.address), HasSubstr("walk.c:"));
  // A line of an inlined function is in each function that it was inlined into.
  std::set<std::string> symbols;
  for (const LinePlace& place : code.lines("walk.c", 7)) symbols.insert(place.place.symbol);
  EXPECT_THAT(symbols, ElementsAre("walk_all", "walk_once"));
}

TEST_P(CodeFunctions, SaysWhichLinesAreNear) {
  const CodeSource& code = module({{"walk.c", walks}});
  EXPECT_THAT(code.lines("walk.c", 2), IsEmpty());
  const std::vector<unsigned> near = code.lines_near("walk.c", 2, 2);
  ASSERT_THAT(near, SizeIs(2));
  EXPECT_THAT(near, testing::Each(AllOf(Ge(4u), Le(7u))));
  EXPECT_THAT(code.lines_near("other.c", 2, 2), IsEmpty());
  EXPECT_THAT(code.lines("alk.c", found_line), IsEmpty());  // whole folders and names only
}

TEST_P(CodeFunctions, NamesAPlaceByAFunctionThatIsTheOnlyOneOfItsName) {
  const CodeSource& code =
      module({{"a.c",
               "int __attribute__((noinline)) first(int a) { return a + 1; }\n"
               "static int __attribute__((noinline)) same(int a) { return a * 3; }\n"
               "int use_a(int a) { return same(first(a)) + 1; }"},
              {"b.c",
               "static int __attribute__((noinline)) same(int a) { return a * 5; }\n"
               "int use_b(int a) { return same(a) + 1; }"}});
  const std::vector<CodeBlock> copies = code.copies("same");
  ASSERT_THAT(copies, SizeIs(2));
  // The one of a.c may be the first of all code: then nothing before it can name it.
  EXPECT_NE(copies.front().entry.symbol, "same");
  const CodePlace second = copies.back().entry;
  ASSERT_THAT(second.symbol, testing::AnyOf("first", "use_a", "use_b"));
  EXPECT_EQ(code.copies(second.symbol).front().entry.address + second.offset, second.address);
}

TEST_P(CodeFunctions, ListsFunctionsByTheirBeginning) {
  const CodeSource& code = module({{"walk.c", walks}});
  EXPECT_THAT(code.functions("walk_", 10), ElementsAre("walk_all", "walk_once"));
  EXPECT_THAT(code.functions("walk_", 1), SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(Compilers, CodeFunctions, testing::ValuesIn(compilers),
                         [](const auto& info) { return "with" + std::to_string(info.index); });

TEST(CodeTest, CopiesThatTheCompilerSplitOffKeepTheName) {
  const TemporaryFolder folder;
  // GCC makes fold.constprop.0 out of it.
  const auto file = open_debug_file(folder.compile(
      "a.o",
      "extern int sink; static __attribute__((noinline)) int fold(int a, int b) { for (int i = 0; "
      "i "
      "< a; i++) sink += b * i; return sink; }\nint use(int a) { return fold(a, 3) + fold(a + 1, "
      "3); }",
      "gcc -O2 -gdwarf-5"));
  const std::vector<CodeBlock> copies = file->code().copies("fold");
  ASSERT_THAT(copies, SizeIs(1));
  EXPECT_EQ(copies.front().entry.symbol, "fold.constprop.0");
  const CodeBlock use = file->code().copies("use").front();
  EXPECT_THAT(file->code().calls(use, "fold"), SizeIs(testing::Ge(1u)));
}

TEST(CodeTest, AKernelHasItsAddressesOfLinkTime) {
  const TemporaryFolder folder;
  const auto file = open_debug_file(folder.kernel("vmlinux", walks + std::string(R"(
    int walk(int root, struct list *list) { list->nr = root; return root; })")));
  const CodeBlock function = file->code().copies("walk_all").front();
  EXPECT_EQ(function.entry.address, file->symbols().find("walk_all")->address);
}

TEST(CodeTest, AFileWithoutDebugInfoHasNoCode) {
  const TemporaryFolder folder;
  const auto file = open_debug_file(folder.compile("a.o", walks, "gcc -O2"));
  EXPECT_THAT(file->code().copies("walk_all"), IsEmpty());
  EXPECT_THAT(file->code().lines("a.c", found_line), IsEmpty());
  EXPECT_EQ(place_name(file->code().place(0x1234)), "0x1234");
}

}  // namespace
}  // namespace kvmscope
