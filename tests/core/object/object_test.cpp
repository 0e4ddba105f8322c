// Objects: members, bit fields, pointers, casts, and when memory is read.

#include "core/object/object.hpp"

#include <gmock/gmock.h>

#include "core/object/member_path.hpp"
#include "tests/core/object/object_fixture.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using ObjectTest = ObjectFixture;

TEST_F(ObjectTest, MembersAreReadOnlyWhenTheirValueIsAskedFor) {
  const Object id =
      vm_object().member("mmu").type().size != 0 ? vm_object().member("id") : vm_object();
  EXPECT_EQ(memory.counts().reads, 0u);
  EXPECT_EQ(id.as_signed(), -7);
  EXPECT_EQ(memory.counts().reads, 1u);
}

TEST_F(ObjectTest, MembersAreFoundThroughAnonymousUnionsAndPointers) {
  EXPECT_EQ(vm_object().member("used").as_unsigned(), 0x123456789u);
  EXPECT_EQ(vm_object().member("raw").as_unsigned(), 0x89u);
  EXPECT_EQ(vm_object().member("mmu").arrow("root").member("hpa").as_unsigned(), 0x3f153000u);
  EXPECT_EQ(vm_object().member("mmu").member("root").address(), mmu);
  EXPECT_EQ(vm_object().member("mmu").dereference().at_path("prev_roots[1].pgd").address(),
            mmu + 56);
}

TEST_F(ObjectTest, BitFieldsHaveTheirBitsAndNoAddress) {
  const Object role = vm_object().member("mmu").arrow("role");
  EXPECT_EQ(role.member("level").as_unsigned(), 4u);
  EXPECT_EQ(role.member("direct").as_unsigned(), 1u);
  EXPECT_EQ(role.member("delta").as_signed(), -2);
  EXPECT_EQ(role.member("direct").address(), std::nullopt);
  EXPECT_THAT(error_of([&] { role.member("direct").address_of(); }), HasSubstr("bit field"));
}

TEST_F(ObjectTest, ABitFieldThatCrossesAWordIsPutTogether) {
  fake.structure("wide", 16, {{"bits", fake.u64(), 0, 5, 64}});
  memory.set_u64(label, 0xfedcba9876543210);
  memory.set_u64(label + 8, 0x15);
  const Object wide = Object::reference(sources, memory, type(TypeKind::structure, "wide"), label);
  EXPECT_EQ(wide.member("bits").as_unsigned(), 0xfedcba9876543210 >> 5 | 0x15ULL << 59);
}

TEST_F(ObjectTest, ArraysAndPointersHaveElements) {
  const Object pages = vm_object().member("pages");
  EXPECT_EQ(pages.index(1).as_unsigned(), 2u);
  EXPECT_EQ(pages.dereference().as_unsigned(), 1u);
  EXPECT_EQ(pages.as_unsigned(), vm.value + 48);
  EXPECT_EQ(vm_object().member("mmu").index(-1).address(), mmu - 64);
  EXPECT_EQ(type_name(pages.decayed().type()), "u16 *");
}

TEST_F(ObjectTest, AddressesAndContainersLeadBack) {
  const Object link = vm_object().member("link").address_of();
  EXPECT_EQ(type_name(link.type()), "struct list_head *");
  const Object back = link.container_of(type(TypeKind::structure, "vm"), "link");
  EXPECT_EQ(back.as_unsigned(), vm.value);
  EXPECT_EQ(type_name(back.type()), "struct vm *");
}

TEST_F(ObjectTest, CastsCutAndExtend) {
  const Object value = number(fake.u64(), 0x1fffffff9);
  EXPECT_EQ(value.cast(fake.s32()).as_signed(), -7);
  EXPECT_EQ(value.cast(fake.u8()).as_unsigned(), 0xf9u);
  EXPECT_EQ(value.cast(fake.boolean()).as_unsigned(), 1u);
  EXPECT_THAT(error_of([&] { value.cast(type(TypeKind::structure, "vm")); }),
              HasSubstr("cast a pointer, as in *(struct vm *)"));
}

TEST_F(ObjectTest, ATypeThatIsOnlyDeclaredIsCompletedByAnotherSource) {
  EXPECT_THAT(error_of([&] { vm_object().member("hidden").arrow("x"); }),
              HasSubstr("struct hidden is only declared"));
  FakeTypes vmlinux;
  vmlinux.structure("hidden", 8, {{"x", vmlinux.s32(), 4}});
  Types both;
  both.add("kvm", [&] { return &fake; });
  both.add("vmlinux", [&] { return &vmlinux; });
  memory.set_u64(vm + 72, mmu.value + 12);
  const Object object = Object::reference(both, memory, both.get(TypeKind::structure, "vm"), vm);
  EXPECT_EQ(object.member("hidden").arrow("x").as_unsigned(), 0xd4u);
}

TEST_F(ObjectTest, ASnapshotIsOneReadForAllMembers) {
  const Object copy = vm_object().snapshot();
  EXPECT_EQ(memory.counts().reads, 1u);
  memory.set_u32(vm, 1);
  EXPECT_EQ(copy.member("id").as_signed(), -7);
  EXPECT_EQ(copy.member("pages").index(1).as_unsigned(), 2u);
  EXPECT_EQ(memory.counts().reads, 1u);
}

TEST_F(ObjectTest, MissingMemoryIsAFaultThatNamesTheAddress) {
  memory.remove(vm, 4);
  EXPECT_THAT(error_of([&] { vm_object().member("id").as_signed(); }),
              HasSubstr("0xffff888000001000"));
  EXPECT_EQ(vm_object().member("level").as_unsigned(), 2u);
}

TEST_F(ObjectTest, WhatATypeDoesNotHaveIsAUsageErrorThatHelps) {
  EXPECT_EQ(error_of([&] { vm_object().member("mmo"); }),
            "struct vm has no member 'mmo' (did you mean 'mmu'?)");
  EXPECT_EQ(error_of([&] { vm_object().member("nonsense"); }),
            "struct vm has no member 'nonsense'");
  EXPECT_THAT(error_of([&] { vm_object().arrow("id"); }), HasSubstr("is no pointer: use .id"));
  EXPECT_THAT(error_of([&] { vm_object().member("id").dereference(); }),
              HasSubstr("int is no pointer"));
  EXPECT_THAT(error_of([&] { vm_object().as_unsigned(); }), HasSubstr("struct vm is no number"));
  EXPECT_THAT(error_of([&] { vm_object().member("private").dereference(); }), HasSubstr("cast it"));
}

TEST_F(ObjectTest, WithoutATargetTypesWorkAndMemoryDoesNot) {
  const Object null =
      Object::value(sources, no_memory(), sources.pointer_to(type(TypeKind::structure, "vm")), 0);
  EXPECT_EQ(null.arrow("link").address_of().as_unsigned(), 24u);
  EXPECT_THAT(error_of([&] { null.arrow("id").as_signed(); }), HasSubstr("no target is open"));
}

TEST_F(ObjectTest, PathsOfMembersAreChecked) {
  const Type& mmu_type = type(TypeKind::structure, "mmu");
  EXPECT_EQ(need_member_path(sources, mmu_type, "prev_roots[1].pgd").bit_offset, 56u * 8);
  EXPECT_EQ(need_member_path(sources, mmu_type, "role.direct").bit_size, 1u);
  for (const std::string_view path :
       {"", ".", "prev_roots[", "prev_roots[x]", "root[0]", "root..hpa", "root.", "[0]", "role[1]x",
        "prev_roots[99999999999999999999]", "prev_roots[18446744073709551615]"})
    EXPECT_NE(error_of([&] { need_member_path(sources, mmu_type, path); }), "") << path;
}

}  // namespace
}  // namespace kvmscope
