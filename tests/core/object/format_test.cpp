// Objects as text, whole and with holes.

#include "core/object/format.hpp"

#include <gmock/gmock.h>

#include "tests/core/object/object_fixture.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;
using testing::Not;

class Format : public ObjectFixture {
 protected:
  std::string text(const Object& object, const FormatOptions& options = {}) {
    return format(object, options).text;
  }
  Object u64_array(std::uint64_t count) {
    return Object::reference(sources, memory, sources.array_of(fake.u64(), count), array);
  }
  static constexpr VirtAddr array{0xffff888000008000};
};

TEST_F(Format, AStructIsACInitialiser) {
  EXPECT_EQ(text(vm_object()), R"TEXT((struct vm){
  .id = (int)-7,
  .level = (enum pg_level)PG_LEVEL_2M,
  .name = (char [8])"guest",
  .mmu = (struct mmu *)0xffff888000002000,
  .link = (struct list_head){
    .next = (struct list_head *)0xffff888000001018,
    .prev = (struct list_head *)0xffff888000001018,
  },
  .label = (char *)0xffff888000003000 = "a\"b\n",
  .pages = (u16 [8]){ 1, 2, [2 ... 7] = 0 },
  .used = (unsigned long)0x123456789,
  .raw = (unsigned char)137,
  .hidden = (struct hidden *)0x0,
  .active = (_Bool)false,
  .private = (void *)0x0,
})TEXT");
}

TEST_F(Format, AStructIsReadAtOnce) {
  text(vm_object().member("mmu").dereference());
  EXPECT_EQ(memory.counts().reads, 2u);  // the pointer and the struct
}

TEST_F(Format, BitFieldsAndArraysOfStructsAreShown) {
  memory.set_u64(mmu + 24, 0xffffffffc0001230);
  FormatOptions options;
  options.symbolize = [](std::uint64_t address) {
    return address == 0xffffffffc0001230 ? "kvm_tdp_page_fault+0x0" : "";
  };
  EXPECT_EQ(text(vm_object().member("mmu").dereference(), options), R"TEXT((struct mmu){
  .root = (struct root){
    .hpa = (u64)0x3f153000,
    .pgd = (u64)0x10f000,
  },
  .role = (union {…}){
    .word = (u32)212,
    .level = (unsigned int)4,
    .direct = (unsigned int)1,
    .delta = (int)-2,
  },
  .page_fault = (int (*)(…))0xffffffffc0001230 = kvm_tdp_page_fault+0x0,
  .prev_roots = (struct root [2]){
    [0 ... 1] = {
      .hpa = (u64)0,
      .pgd = (u64)0,
    },
  },
})TEXT");
}

TEST_F(Format, DepthAndRadixAreOptions) {
  EXPECT_EQ(text(vm_object(), {.depth = 0}), "(struct vm){…}");
  EXPECT_THAT(text(vm_object(), {.depth = 1}), HasSubstr(".link = (struct list_head){…},"));
  EXPECT_EQ(text(vm_object().member("id"), {.radix = Radix::hex, .type = false}), "0xfffffff9");
  EXPECT_EQ(text(vm_object().member("used"), {.radix = Radix::decimal, .type = false}),
            "4886718345");
  EXPECT_EQ(text(vm_object().member("level"), {.interpret = false}), "(enum pg_level)2");
  EXPECT_THAT(text(vm_object().member("name"), {.interpret = false}),
              HasSubstr("{ 103, 117, 101, 115, 116, [5 ... 7] = 0 }"));
}

TEST_F(Format, OneLineHasNoTypesOfMembers) {
  EXPECT_EQ(text(vm_object().member("mmu").dereference(), {.depth = 2, .one_line = true}),
            "(struct mmu){ .root = { .hpa = 0x3f153000, .pgd = 0x10f000 }, .role = { .word = 212, "
            ".level = 4, .direct = 1, .delta = -2 }, .page_fault = 0x0, .prev_roots = { [0 ... 1] "
            "= {…} } }");
}

TEST_F(Format, AnEnumWithoutANameForItsValueIsANumber) {
  memory.set_u32(vm + 4, 77);
  EXPECT_EQ(text(vm_object().member("level")), "(enum pg_level)77");
}

TEST_F(Format, LongArraysFoldRunsAndAreCut) {
  memory.add_zeros(array, 512 * 8);
  memory.set_u64(array, 0x8000000000000025);
  EXPECT_EQ(text(u64_array(512)), "(unsigned long [512]){ 0x8000000000000025, [1 ... 511] = 0 }");
  for (std::uint64_t i = 0; i < 512; ++i) memory.set_u64(array + 8 * i, i);
  const std::string cut = text(u64_array(512), {.elements = 3});
  EXPECT_EQ(cut, "(unsigned long [512]){ 0, 1, 2, /* … 509 more */ }");
  EXPECT_THAT(text(u64_array(512)), HasSubstr("\n  [31] = 31,\n  /* … 480 more */,\n}"));
}

TEST_F(Format, AFieldThatCannotBeReadSaysWhyAndTheRestStays) {
  memory.remove(vm + 16, 8);
  const Formatted result = format(vm_object());
  EXPECT_EQ(result.lost, 1u);
  EXPECT_FALSE(result.all_lost);
  EXPECT_THAT(result.reason, HasSubstr("0xffff888000001010"));
  EXPECT_THAT(result.text, HasSubstr(".mmu = (struct mmu *)<cannot read: no such memory at "
                                     "0xffff888000001010>,"));
  EXPECT_THAT(result.text, HasSubstr(".id = (int)-7"));
  EXPECT_THAT(result.text, HasSubstr(".pages = (u16 [8]){ 1, 2, [2 ... 7] = 0 }"));
}

TEST_F(Format, AStructOfWhichNothingCanBeReadIsOneReason) {
  memory.remove(vm, 88);
  const Formatted result = format(vm_object());
  EXPECT_TRUE(result.all_lost);
  EXPECT_EQ(result.lost, 1u);
  EXPECT_EQ(result.text, "(struct vm)<cannot read: no such memory at 0xffff888000001000>");
}

TEST_F(Format, NumbersOfAnArrayThatCannotBeReadAreOneRun) {
  memory.add_zeros(array, 64);
  memory.remove(array + 16, 16);
  EXPECT_EQ(text(u64_array(8)), R"TEXT((unsigned long [8]){
  [0] = 0,
  [1] = 0,
  [2 ... 3] = <cannot read: no such memory at 0xffff888000008010>,
  [4 ... 7] = 0,
})TEXT");
}

TEST_F(Format, AStringThatCannotBeReadKeepsItsPointer) {
  memory.remove(label, 5);
  EXPECT_EQ(text(vm_object().member("label")),
            "(char *)0xffff888000003000 = <cannot read: no such memory at 0xffff888000003000>");
}

TEST_F(Format, StringsWithoutAnEndAreCut) {
  memory.add(label, std::string(4096, 'x'));
  const std::string shown = text(vm_object().member("label"));
  EXPECT_THAT(shown, HasSubstr("xxx\"…"));
  EXPECT_LT(shown.size(), 400u);
  memory.add(vm + 8, "12345678");
  EXPECT_EQ(text(vm_object().member("name")), "(char [8])\"12345678\"");
}

TEST_F(Format, AStructThatContainsItselfDoesNotHangUs) {
  Type& self = fake.structure("self", 8, {});
  self.members.push_back({.name = "a", .type = self});
  self.members.push_back({.name = "b", .type = self});
  memory.add_zeros(array, 8);
  const Object object = Object::reference(sources, memory, self, array);
  EXPECT_THAT(error_of([&] { format(object); }), HasSubstr("too long"));
  self.members = {{.name = "", .type = self}};
  EXPECT_THAT(error_of([&] { format(object); }), HasSubstr("contains itself"));
}

TEST_F(Format, FloatsAndWideIntegersAreShown) {
  Type real;
  real.kind = TypeKind::floating;
  real.name = "double";
  real.size = 8;
  memory.set(array, 1.5);
  EXPECT_EQ(text(Object::reference(sources, memory, real, array)), "(double)1.5");
  memory.set_u64(array + 8, 1);
  const Type& wide = sources.integer(16, false);
  EXPECT_EQ(text(Object::reference(sources, memory, wide, array)),
            "(unsigned __int128)0x00000000000000013ff8000000000000");
}

TEST_F(Format, QuotedTextIsPlainAscii) {
  EXPECT_EQ(quoted("a\x1b[0m\xff"), "\"a\\x1b[0m\\xff\"");
}

}  // namespace
}  // namespace kvmscope
