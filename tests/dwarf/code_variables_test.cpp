// Where variables are, in assembler that says it itself and in C compiled here.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dwarf/debug_file.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* source = R"(
struct role { unsigned level : 4; };
struct page { struct role role; long gfn; };
struct batch { struct page *page[4]; unsigned nr; };
int collect(struct page *root, struct batch *batch);
void note(int value, struct page *page);
int __attribute__((noinline)) each(struct page *root, int count) {
  struct batch batch;
  int constant = 42;
  int done = 0;
  if (collect(root, &batch)) {
    for (int i = 0; i < batch.nr; ++i) {
      struct page *page = batch.page[i];
      note(i + constant, page);
      done++;
    }
  }
  return done;
}
)";

constexpr const char* compilers[] = {
    "gcc -O2 -gdwarf-5 -fno-asynchronous-unwind-tables",
    "gcc -O2 -gdwarf-4 -fno-asynchronous-unwind-tables",
    "clang -O2 -gdwarf-5 -fno-asynchronous-unwind-tables",
    "clang -O2 -gdwarf-4 -fno-asynchronous-unwind-tables",
};

class CodeVariables : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    file_ = open_debug_file(folder_.module("kvm.ko", {{"each.c", source}}, GetParam()));
    function_ = code().copies("each").front();
  }
  const CodeSource& code() const { return file_->code(); }
  CodeCall call_of(std::string_view callee) const {
    const std::vector<CodeCall> calls = code().calls(function_, callee);
    EXPECT_THAT(calls, Not(IsEmpty()));
    return calls.empty() ? CodeCall{} : calls.front();
  }
  CodeVariable variable(std::string_view name, std::uint64_t address) const {
    for (const CodeVariable& variable : code().variables(address))
      if (variable.name == name) return variable;
    ADD_FAILURE() << "no variable " << name;
    return {};
  }

  TemporaryFolder folder_;
  std::unique_ptr<DebugFile> file_;
  CodeBlock function_;
};

constexpr unsigned rdi = 5, rsp = 7, rsi = 4, rbp = 6;

TEST_P(CodeVariables, ParametersComeInRegistersAsTheAbiSays) {
  const CodeLocation root = variable("root", function_.entry.address).location;
  const CodeLocation count = variable("count", function_.entry.address).location;
  EXPECT_EQ(root.lost, "");
  EXPECT_TRUE(root.is_value);
  EXPECT_EQ(root.base, rdi);
  EXPECT_THAT(root.offsets, ElementsAre(0));
  // Nobody uses it, but until something else comes into its register it is there.
  EXPECT_EQ(count.base, rsi);
}

TEST_P(CodeVariables, AStructOnTheStackIsMemoryAtTheStackPointer) {
  const CodeCall call = call_of("collect");
  const CodeVariable batch = variable("batch", call.after.address);
  EXPECT_EQ(batch.location.lost, "");
  EXPECT_FALSE(batch.location.is_value);
  ASSERT_TRUE(batch.location.base.has_value());
  EXPECT_TRUE(*batch.location.base == rsp || *batch.location.base == rbp);
  EXPECT_EQ(type_name(batch.type.get()), "struct batch");
  EXPECT_EQ(batch.function, "each");
  EXPECT_FALSE(batch.is_parameter);
}

// The compiler's own code says the same: the address of `batch` is the second argument.
TEST_P(CodeVariables, TheStackFrameIsCountedFromTheRegisterThatIsThere) {
  const CodeCall call = call_of("collect");
  const CodeLocation batch = variable("batch", call.instruction.address).location;
  folder_.run("objdump -d --no-show-raw-insn --disassemble=each kvm.ko > text");
  const std::string text = folder_.read("text");
  const char* name = *batch.base == rsp ? "rsp" : "rbp";
  const std::int64_t offset = batch.offsets.front();
  const std::string at = offset == 0  ? fmt::format("(%{})", name)
                         : offset > 0 ? fmt::format("{:#x}(%{})", offset, name)
                                      : fmt::format("-{:#x}(%{})", -offset, name);
  const bool is_address = text.find("lea    " + at) != std::string::npos ||
                          (offset == 0 && text.find("mov    %rsp,%r") != std::string::npos);
  EXPECT_TRUE(is_address) << at << "\n" << text;
}

TEST_P(CodeVariables, AConstantHasItsValue) {
  const CodeCall call = call_of("collect");
  const CodeLocation constant = variable("constant", call.after.address).location;
  EXPECT_EQ(constant.lost, "");
  EXPECT_FALSE(constant.base.has_value());
  EXPECT_THAT(constant.offsets, ElementsAre(42));
}

TEST_P(CodeVariables, WhatIsGoneSaysWhyAndWhereItIs) {
  const CodeCall call = call_of("note");
  const CodeVariable count = variable("count", call.after.address);
  EXPECT_THAT(count.location.lost, testing::AnyOf(HasSubstr("optimised out"), HasSubstr("entry")));
  ASSERT_THAT(count.available, Not(IsEmpty()));
  EXPECT_EQ(count.available.front().begin, function_.entry.address);
  EXPECT_LE(count.available.back().end, call.after.address);
}

TEST_P(CodeVariables, LocalsOfABlockAreInScopeInsideItOnly) {
  const CodeCall call = call_of("note");
  std::vector<std::string> inside;
  for (const CodeVariable& variable : code().variables(call.instruction.address))
    inside.push_back(variable.name);
  EXPECT_THAT(inside, testing::Contains("page"));
  EXPECT_LT(std::find(inside.begin(), inside.end(), "page"),
            std::find(inside.begin(), inside.end(), "root"));  // innermost first
  EXPECT_THAT(code().variables(function_.ranges.back().end + 0x1000), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Compilers, CodeVariables, testing::ValuesIn(compilers),
                         [](const auto& info) { return "with" + std::to_string(info.index); });

// One function whose only variable has the location that the test writes.
class CodeLocations : public testing::Test {
 protected:
  CodeLocation location(std::string_view bytes, std::string_view frame_base = "0x9c") {
    folder_.write("a.s", fmt::format(R"(
      .text
      .cfi_sections .debug_frame
      .type function, @function
      function: .cfi_startproc
      push %rbx
      .cfi_adjust_cfa_offset 8
      nop
      ret
      .cfi_endproc
      .Lend: .size function, .-function
      .section .debug_abbrev,"",@progbits
      .uleb128 1, 0x11
      .byte 1
      .uleb128 0x11, 1, 0x12, 7, 0, 0
      .uleb128 2, 0x2e
      .byte 1
      .uleb128 0x03, 8, 0x11, 1, 0x12, 7, 0x40, 0x18, 0, 0
      .uleb128 3, 0x34
      .byte 0
      .uleb128 0x03, 8, 0x02, 0x18, 0, 0
      .byte 0
      .section .debug_info,"",@progbits
      .long .Linfo_end - .Linfo
      .Linfo: .short 5
      .byte 1, 8
      .long .debug_abbrev
      .uleb128 1
      .quad 0, .Lend
      .uleb128 2
      .asciz "function"
      .quad function, .Lend - function
      .uleb128 .Lbase_end - .Lbase
      .Lbase: .byte {}
      .Lbase_end:
      .uleb128 3
      .asciz "variable"
      .uleb128 .Llocation_end - .Llocation
      .Llocation: .byte {}
      .Llocation_end:
      .byte 0, 0
      .Linfo_end:
    )",
                                     frame_base, bytes));
    folder_.run("gcc -c a.s -o a.o");
    file_ = open_debug_file(folder_.path("a.o"));
    const CodeBlock function = file_->code().copies("function").front();
    const auto variables = file_->code().variables(function.entry.address + 1);
    return variables.empty() ? CodeLocation{.lost = "no variable"} : variables.front().location;
  }

  TemporaryFolder folder_;
  std::unique_ptr<DebugFile> file_;
};

struct Place {
  const char* bytes;
  std::optional<unsigned> base;
  std::vector<std::int64_t> offsets;
  bool is_value;
};

TEST_F(CodeLocations, ReadsWhatAProbeCanReach) {
  const Place places[] = {
      {"0x55", rdi, {0}, true},                               // reg5
      {"0x90, 5", rdi, {0}, true},                            // regx 5
      {"0x77, 16", rsp, {16}, false},                         // breg7 16
      {"0x92, 7, 16", rsp, {16}, false},                      // bregx 7 16
      {"0x91, 0x68", rsp, {-8}, false},                       // fbreg -24: the CFA is rsp+16 there
      {"0x77, 8, 0x06, 0x23, 4", rsp, {8, 4}, false},         // breg7 8, deref, plus_uconst 4
      {"0x75, 0x7f, 0x9f", rdi, {-1}, true},                  // breg5 -1, stack_value
      {"0x75, 0, 0x08, 8, 0x22, 0x9f", rdi, {8}, true},       // breg5 0, const1u 8, plus
      {"0x08, 8, 0x75, 0, 0x22, 0x9f", rdi, {8}, true},       // the other way round
      {"0x75, 0, 0x08, 8, 0x1c", rdi, {-8}, false},           // breg5 0, const1u 8, minus
      {"0x3a, 0x9f", std::nullopt, {10}, true},               // lit10, stack_value
      {"0x9e, 2, 0x34, 0x12", std::nullopt, {0x1234}, true},  // implicit_value
      {"0x96, 0x55", rdi, {0}, true},                         // nop, reg5
  };
  for (const Place& place : places) {
    const CodeLocation found = location(place.bytes);
    EXPECT_EQ(found.lost, "") << place.bytes;
    EXPECT_EQ(found.base, place.base) << place.bytes;
    EXPECT_EQ(found.offsets, place.offsets) << place.bytes;
    EXPECT_EQ(found.is_value, place.is_value) << place.bytes;
  }
}

TEST_F(CodeLocations, SaysWhyAProbeCannotReachOthers) {
  const std::pair<const char*, const char*> cases[] = {
      {"0xa3, 1, 0x55, 0x9f", "entry"},                       // entry_value
      {"0x55, 0x93, 4, 0x54, 0x93, 4", "pieces"},             // reg5 piece 4, reg4 piece 4
      {"0x75, 0, 0x0a, 0xff, 0, 0x1a, 0x9f", "computed"},     // breg5 & 0xff
      {"0x75, 0, 0x74, 0, 0x22, 0x9f", "computed"},           // breg5 + breg4
      {"0x03, 0, 0, 0, 0, 0, 0, 0, 0", "static variable"},    // addr
      {"0x61", "a probe cannot read"},                        // reg17: xmm0
      {"0x22", "computed"},                                   // plus on an empty stack
      {"0x9e, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9", "longer than"},  // implicit_value of 9 bytes
  };
  for (const auto& [bytes, reason] : cases)
    EXPECT_THAT(location(bytes).lost, HasSubstr(reason)) << bytes;
}

TEST_F(CodeLocations, AFrameThatCountsFromItselfIsNoFrame) {
  EXPECT_THAT(location("0x91, 0", "0x91, 0").lost, HasSubstr("stack frame"));
  EXPECT_EQ(location("0x91, 8", "0x56").base, rbp);  // fbreg 8 from reg6
}

}  // namespace
}  // namespace kvmscope
