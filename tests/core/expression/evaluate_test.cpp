// What expressions mean.

#include "core/expression/evaluate.hpp"

#include <gmock/gmock.h>

#include "tests/core/expression/expression_fixture.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;

using Evaluate = ExpressionFixture;

TEST_F(Evaluate, OperatorsBindAsInC) {
  EXPECT_EQ(signed_number("1 + 2 * 3"), 7);
  EXPECT_EQ(signed_number("(1 + 2) * 3"), 9);
  EXPECT_EQ(signed_number("10 - 4 - 3"), 3);
  EXPECT_EQ(signed_number("1 | 6 & 3 ^ 1"), 3);
  EXPECT_EQ(signed_number("1 << 2 + 1"), 8);
  EXPECT_EQ(signed_number("-7 / 2 % 2"), -1);
  EXPECT_EQ(signed_number("1 < 2 == 1"), 1);
  EXPECT_EQ(signed_number("0 || 1 && 0"), 0);
  EXPECT_EQ(signed_number("!0 + ~0"), 0);
  EXPECT_EQ(signed_number("1 ? 2 : 0 ? 3 : 4"), 2);
  EXPECT_EQ(signed_number("0 ? 2 : 0 ? 3 : 4"), 4);
  EXPECT_EQ(signed_number("- - +1"), 1);
}

TEST_F(Evaluate, LiteralsHaveTheirTypesInC) {
  EXPECT_EQ(shown("1"), "(int)1");
  EXPECT_EQ(shown("1u"), "(unsigned int)1");
  EXPECT_EQ(shown("1UL"), "(unsigned long)1");
  EXPECT_EQ(shown("2147483648"), "(long)2147483648");
  EXPECT_EQ(shown("0x80000000"), "(unsigned int)0x80000000");
  EXPECT_EQ(shown("0xffffffffffffffff"), "(unsigned long)0xffffffffffffffff");
  EXPECT_EQ(shown("010"), "(int)8");
  EXPECT_EQ(shown("0b101"), "(int)5");
  EXPECT_EQ(shown("'a'"), "(int)97");
  EXPECT_EQ(shown("'\\n' + '\\x41' + '\\0' + '\\''"), "(int)114");
}

TEST_F(Evaluate, SixteenHexDigitsAreAnAddress) {
  EXPECT_EQ(number("ffff888000001000"), vm.value);
  EXPECT_EQ(number("0000000000000010"), 16u);
  EXPECT_EQ(shown("((struct vm *)ffff888000001000)->id"), "(int)-7");
}

TEST_F(Evaluate, MembersIndicesAndPointersLeadThroughMemory) {
  EXPECT_EQ(signed_number("vm.id"), -7);
  EXPECT_EQ(number("vm.mmu->root.hpa"), 0x3f153000u);
  EXPECT_EQ(number("(*vm.mmu).root.pgd"), 0x10f000u);
  EXPECT_EQ(number("vm.mmu.role.level"), 4u) << "as gdb: a dot after a pointer";
  EXPECT_EQ(number("vm.pages[1]"), 2u);
  EXPECT_EQ(number("1[vm.pages]"), 2u);
  EXPECT_EQ(number("*(vm.pages + 1)"), 2u);
  EXPECT_EQ(number("&vm.pages[3] - vm.pages"), 3u);
  EXPECT_EQ(number("&vm.mmu->prev_roots[1]"), mmu.value + 48);
  EXPECT_EQ(number("*&vm.used"), 0x123456789u);
  EXPECT_EQ(number("vm.level == 2 && vm.mmu->role.direct"), 1u);
}

TEST_F(Evaluate, CastsAreToldFromParentheses) {
  EXPECT_EQ(shown("(u8)0x1ff"), "(u8)255");
  EXPECT_EQ(shown("(unsigned long)-1"), "(unsigned long)0xffffffffffffffff");
  EXPECT_EQ(shown("(u64)-1"), "(u64)0xffffffffffffffff");
  EXPECT_EQ(shown("(u64)(1)"), "(u64)1");
  EXPECT_EQ(shown("(u64 *)0"), "(u64 *)0x0");
  EXPECT_EQ(shown("(const struct vm *const)0"), "(struct vm *)0x0");
  EXPECT_EQ(shown("(void *)0 + 3"), "(void *)0x3");
  EXPECT_EQ(shown("(enum pg_level)1"), "(enum pg_level)PG_LEVEL_4K");
  EXPECT_EQ(shown("(bool)4"), "(_Bool)true");
  variables.insert_or_assign("x", value("5"));
  symbols["n"] = {&fake.s32(), vm};
  EXPECT_EQ(signed_number("(n) - 1"), -8);
  EXPECT_EQ(signed_number("(n) * 2"), -14);
  EXPECT_EQ(signed_number("(vm.id) + 1"), -6);
  EXPECT_EQ(shown("(vm *)0"), "(struct vm *)0x0") << "a tag without its keyword";
}

TEST_F(Evaluate, SizesAndOffsetsNeedNoMemory) {
  EXPECT_EQ(number("sizeof(struct vm)"), 88u);
  EXPECT_EQ(number("sizeof vm.mmu->prev_roots"), 32u);
  EXPECT_EQ(number("sizeof(vm.used / vm.mmu->root.hpa)"), 8u);
  EXPECT_EQ(number("sizeof(*&vm.pages[vm.id])"), 2u);
  EXPECT_EQ(number("sizeof(vm.mmu)"), 8u);
  EXPECT_EQ(number("sizeof(u16) + sizeof(u16 *) + sizeof(int[3])"), 22u);
  EXPECT_EQ(number("&((struct vm *)0)->pages[2]"), 52u);
  EXPECT_EQ(number("offsetof(struct mmu, prev_roots[1].pgd)"), 56u);
  EXPECT_EQ(number("&((struct vm *)0)->used"), 64u);
  EXPECT_EQ(memory.counts().reads, 0u);
}

TEST_F(Evaluate, ContainerOfLeadsFromAMemberToItsStruct) {
  EXPECT_EQ(shown("container_of(vm.link.next, struct vm, link)"),
            "(struct vm *)0xffff888000001000");
  EXPECT_EQ(signed_number("container_of(&vm.link, struct vm, link)->id"), -7);
}

TEST_F(Evaluate, VariablesKeepTheValueOrThePlaceThatTheyWereGiven) {
  EXPECT_EQ(signed_number("$x = vm.id"), -7);
  memory.set_u32(vm, 1);
  EXPECT_EQ(signed_number("$x"), -7);
  EXPECT_EQ(signed_number("$v = $w = 3"), 3);
  EXPECT_EQ(signed_number("$v + $w"), 6);
  value("$s = vm");
  EXPECT_EQ(signed_number("$s.id"), 1);
}

TEST_F(Evaluate, OnlyTheChosenSideIsRead) {
  memory.remove(mmu, 64);
  EXPECT_EQ(number("0 && vm.mmu->root.hpa"), 0u);
  EXPECT_EQ(number("1 || vm.mmu->root.hpa"), 1u);
  EXPECT_EQ(number("1 ? 5 : vm.mmu->root.hpa"), 5u);
  EXPECT_EQ(failure("1 && vm.mmu->root.hpa").kind, ErrorKind::fault);
}

TEST_F(Evaluate, ASymbolWithoutATypeHasAnAddressOnly) {
  EXPECT_EQ(shown("&mystery"), "(void *)0xffff888000003000");
  EXPECT_EQ(number("*(u8 *)&mystery"), 'a');
  EXPECT_THAT(failure("mystery + 1").message, HasSubstr("cast its address"));
  EXPECT_EQ(number("handler"), 0xffffffffc0001230);
  EXPECT_EQ(number("&handler"), 0xffffffffc0001230);
}

TEST_F(Evaluate, AFunctionThatTheScopeOffersIsCalledWithItsArguments) {
  EXPECT_EQ(number("sum()"), 0u);
  EXPECT_EQ(number("sum(1, 2 + 3, vm.pages[1])"), 8u);
  EXPECT_EQ(number("sum(sum(1, 2), 3) * 2"), 12u);
  EXPECT_EQ(number("sum(1) == 1 && sum(2) == 2"), 1u);
}

TEST_F(Evaluate, ErrorsPointAtWhatIsWrong) {
  struct Case {
    std::string_view text;
    std::string_view message;
    std::size_t column;
  };
  const Case cases[] = {
      {"vm.mmu->rot", "struct mmu has no member 'rot' (did you mean 'root'?)", 8},
      {"1 + wm.id", "no symbol 'wm' (did you mean 'vm'?)", 4},
      {"1 + $y", "no variable '$y'", 4},
      {"10 / (5 - 5)", "division by zero", 3},
      {"1 << 99", "a shift by 99", 2},
      {"1 +", "expected an operand, not the end", 3},
      {"(1 + 2", "expected ')', not the end", 6},
      {"1 2", "'2' is one too many", 2},
      {"vm.", "expected a member, not the end", 3},
      {"vm.id->x", "int is no pointer: use .x", 7},
      {"vm.id = 3", "kernel memory is only read", 6},
      {"vm.id += 3", "kernel memory is only read", 6},
      {"++vm.id", "kernel memory, which is only read", 0},
      {"vm.id++", "kernel memory, which is only read", 5},
      {"handler(1)", "no function 'handler': functions of the kernel cannot be called", 7},
      {"sum(1, nothing)", "no symbol 'nothing'", 7},
      {"sum(1", "expected ','", 5},
      {"sum(1 2)", "expected ','", 6},
      {"vm.id(1)", "cannot be called", 5},
      {"(struct nothing *)0", "no struct nothing", 8},
      {"(foo_t)1", "no type 'foo_t'", 1},
      {"0x", "'0x' is no number", 0},
      {"12ab", "hex needs 0x", 0},
      {"09", "'09' is no number", 0},
      {"0x11111111111111111", "more than 64 bits", 0},
      {"1 @ 2", "'@' has no meaning", 2},
      {"1 + \xc3\xa9", "'\\xc3' has no meaning", 4},
      {"'ab'", "no character", 0},
      {"'", "without its second quote", 0},
      {"$", "needs a name", 0},
      {"struct vm", "a type is no value", 0},
      {"sizeof(vm.mmu->role.level)", "a bit field", 0},
      {"&vm.mmu->role.level", "a bit field has no address", 0},
      {"&5", "has no address", 0},
      {"container_of(vm.link.next, struct vm, lnk)", "has no member 'lnk'", 0},
      {"(void)1", "leaves no value", 0},
      {"", "expected an operand, not the end", 0},
  };
  for (const Case& test : cases) {
    const Failure result = failure(test.text);
    EXPECT_THAT(result.message, HasSubstr(test.message)) << test.text;
    EXPECT_EQ(result.kind, ErrorKind::usage) << test.text;
    EXPECT_EQ(result.column, test.column) << test.text << ": " << result.message;
  }
}

TEST_F(Evaluate, ExpressionsTooDeepOrTooLongAreRefused) {
  const auto repeated = [](std::string_view piece, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += piece;
    return text;
  };
  EXPECT_EQ(signed_number(repeated("(", 90) + "1" + repeated(")", 90)), 1);
  EXPECT_EQ(signed_number("1" + repeated("+1", 300)), 301);
  for (const std::string_view piece : {"(", "- ", "!", "*", "&1?", "1?", "1?1:", "(int)", "sizeof ",
                                       "$x=", "a[", "(1+", "container_of("})
    EXPECT_THAT(failure(repeated(piece, 100'000)).message,
                testing::AnyOf(HasSubstr("deep"), HasSubstr("expected")))
        << piece;
  EXPECT_THAT(failure("1" + repeated("+1", 100'000)).message, HasSubstr("in a row"));
  EXPECT_THAT(failure("vm" + repeated(".a", 100'000)).message, HasSubstr("in a row"));
  EXPECT_THAT(failure("(int" + repeated("*", 100'000) + ")1").message, HasSubstr("more than 16"));
}

TEST_F(Evaluate, TypeNamesAreReadAsCWritesThem) {
  const auto name = [&](std::string_view text) { return type_name(find_type(text, sources)); };
  EXPECT_EQ(name("struct vm"), "struct vm");
  EXPECT_EQ(name("long unsigned int"), "unsigned long");
  EXPECT_EQ(name("unsigned"), "unsigned int");
  EXPECT_EQ(name("const volatile char **"), "char **");
  EXPECT_EQ(name("u64 [2][3]"), "u64 [2][3]");
  EXPECT_EQ(name("void *"), "void *");
  EXPECT_EQ(find_type("u16[2][3]", sources).size, 12u);
  EXPECT_EQ(error_of([&] { name("struct"); }), "expected a tag, not the end");
  EXPECT_EQ(error_of([&] { name("u64 x"); }), "'x' is one too many");
  EXPECT_THAT(error_of([&] { name("struct hidden[2]"); }), HasSubstr("hidden"));
  EXPECT_THAT(error_of([&] { name("u64[99999999999][99999999999]"); }), HasSubstr("too long"));
}

}  // namespace
}  // namespace kvmscope
