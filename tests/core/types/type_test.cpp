// What is known of a type once it is loaded: names, members, what stands behind a typedef.

#include "core/types/type.hpp"

#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "tests/support/fake_types.hpp"

namespace kvmscope {
namespace {

TEST(TypeTest, TypedefsAreStrippedToTheTypeBehindThem) {
  FakeTypes types;
  const Type& frame = types.typedef_to("frame_t", types.typedef_to("gfn_t", types.named("u64")));
  EXPECT_EQ(strip(frame).name, "unsigned long");
  EXPECT_TRUE(is_integral(frame));
  EXPECT_FALSE(is_aggregate(frame));
  EXPECT_TRUE(is_aggregate(types.typedef_to("list_t", types.named("list_head"))));
  EXPECT_TRUE(is_integral(types.boolean()));
  EXPECT_TRUE(is_integral(types.enumeration("state", {{"running", 0}})));
}

TEST(TypeTest, ATypedefOfVoidIsVoid) {
  FakeTypes types;
  EXPECT_EQ(strip(types.typedef_to("nothing", TypeRef())).kind, TypeKind::void_type);
}

TEST(TypeTest, ATypedefThatStandsForItselfIsCorrupt) {
  FakeTypes types;
  Type& endless = types.typedef_to("endless", TypeRef());
  endless.target = endless;
  EXPECT_THROW(strip(endless), Error);
  Type& pointer = types.typedef_to("pointer", TypeRef());
  pointer.kind = TypeKind::pointer;
  pointer.target = pointer;
  EXPECT_THROW(type_name(pointer), Error);
}

TEST(TypeTest, MembersAreFoundInAnonymousMembersToo) {
  FakeTypes types;
  const Type& inner =
      types.structure("", 8, {{"low", types.u32(), 0}, {"bits", types.u32(), 4, 5, 3}});
  const Type& either = types.union_type("", 8, {{"whole", types.u64(), 0}, {"", inner, 0}});
  const Type& outer = types.structure("outer", 24, {{"first", types.u64(), 0}, {"", either, 8}});

  const auto bits = find_member(outer, "bits");
  ASSERT_TRUE(bits.has_value());
  EXPECT_EQ(bits->bit_offset, 12 * 8 + 5u);
  EXPECT_EQ(bits->bit_size, 3u);
  EXPECT_EQ(bits->type, &types.u32());
  EXPECT_EQ(find_member(outer, "whole")->bit_offset, 64u);
  EXPECT_FALSE(find_member(outer, "nowhere").has_value());
  EXPECT_FALSE(find_member(outer, "").has_value());
  EXPECT_FALSE(find_member(types.u32(), "low").has_value());
}

TEST(TypeTest, ANamedMemberIsNotLookedInto) {
  FakeTypes types;
  const Type& outer = types.structure("outer", 16, {{"link", types.named("list_head"), 0}});
  EXPECT_TRUE(find_member(outer, "link").has_value());
  EXPECT_FALSE(find_member(outer, "next").has_value());
}

TEST(TypeTest, AStructThatContainsItselfIsCorrupt) {
  FakeTypes types;
  Type& endless = types.structure("endless", 8, {{"", types.u64(), 0}});
  endless.members[0].type = endless;
  EXPECT_THROW(find_member(endless, "nowhere"), Error);
}

TEST(TypeTest, NamesReadAsInC) {
  FakeTypes types;
  EXPECT_EQ(type_name(*types.find(TypeKind::structure, "list_head")), "struct list_head");
  EXPECT_EQ(type_name(types.pointer("list_head")), "struct list_head *");
  EXPECT_EQ(type_name(types.void_pointer()), "void *");
  EXPECT_EQ(type_name(types.array(types.named("u64"), 512)), "u64 [512]");
  EXPECT_EQ(type_name(types.union_type("", 4, {})), "union {…}");
  EXPECT_EQ(type_name(types.enumeration("state", {})), "enum state");
  EXPECT_EQ(type_name(types.u64()), "unsigned long");
}

TEST(TypeTest, DeclarationsReadAsInC) {
  FakeTypes types;
  const Type& table = types.array(types.named("u64"), 512);
  EXPECT_EQ(declaration(types.pointer("list_head"), "next"), "struct list_head *next");
  EXPECT_EQ(declaration(table, "spt"), "u64 spt[512]");
  EXPECT_EQ(declaration(types.array(table, 2), "spt"), "u64 spt[2][512]");
  EXPECT_EQ(declaration(types.pointer(table), "spt"), "u64 (*spt)[512]");
  EXPECT_EQ(declaration(types.array(types.pointer("kvm"), 3), "vms"), "struct kvm *vms[3]");
  EXPECT_EQ(declaration(types.flexible_array(types.u8()), "tail"), "unsigned char tail[]");
  EXPECT_EQ(declaration(types.pointer(types.function(types.s32())), "fn"), "int (*fn)(…)");
  EXPECT_EQ(declaration(types.pointer(types.function()), "fn"), "void (*fn)(…)");
}

}  // namespace
}  // namespace kvmscope
