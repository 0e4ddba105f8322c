// Types from BTF: as they would be from DWARF, and nothing but an error from what is damaged.

#include "core/types/btf/btf_types.hpp"

#include <gtest/gtest.h>

#include <random>

#include "core/base/error.hpp"
#include "tests/support/btf_maker.hpp"

namespace kvmscope {
namespace {

// u32 = 1, u64 = 2, struct list_head = 3, its pointer = 4, and what stands in the lines below.
void add_kernel(btf* b) {
  btf__add_int(b, "unsigned int", 4, 0);
  btf__add_int(b, "long unsigned int", 8, 0);
  btf__add_struct(b, "list_head", 16);
  btf__add_field(b, "next", 4, 0, 0);
  btf__add_field(b, "prev", 4, 64, 0);
  btf__add_ptr(b, 3);
  btf__add_typedef(b, "u64", 2);  // 5
  btf__add_const(b, 5);           // 6
  btf__add_array(b, 1, 6, 3);     // 7: const u64[3]
  btf__add_union(b, nullptr, 8);  // 8
  btf__add_field(b, "word", 5, 0, 0);
  btf__add_struct(b, "role", 24);  // 9
  btf__add_field(b, "level", 1, 0, 4);
  btf__add_field(b, "direct", 1, 4, 1);
  btf__add_field(b, nullptr, 8, 64, 0);
  btf__add_field(b, "prev", 5, 128, 0);
  btf__add_fwd(b, "page", BTF_FWD_STRUCT);  // 10
  btf__add_enum(b, "mode", 4);              // 11
  btf__add_enum_value(b, "OUTSIDE", 0);
  btf__add_enum_value(b, "INSIDE", 1);
  btf__add_enum64(b, "wide", 8, true);  // 12
  btf__add_enum64_value(b, "LOW", static_cast<std::uint64_t>(-2));
  btf__add_int(b, "_Bool", 1, BTF_INT_BOOL);  // 13
  btf__add_struct(b, "tail", 8);              // 14
  btf__add_field(b, "count", 5, 0, 0);
  btf__add_field(b, "entries", 15, 64, 0);
  btf__add_array(b, 1, 2, 0);  // 15: long[0]
  btf__add_func_proto(b, 1);   // 16
}

struct Kernel {
  BtfMaker maker;
  Kernel() { add_kernel(maker.get()); }
  BtfTypes types() const { return {maker.bytes(), "vmlinux"}; }
};

TEST(BtfTypes, StructsHaveTheirMembersWherePaholeSaysTheyAre) {
  const Kernel kernel;
  const BtfTypes types = kernel.types();
  const Type* role = types.find(TypeKind::structure, "role");
  ASSERT_NE(role, nullptr);
  EXPECT_EQ(role->size, 24U);
  ASSERT_EQ(role->members.size(), 4U);
  EXPECT_EQ(role->members[0].bit_size, 4U);
  EXPECT_EQ(role->members[1].bit_offset, 4U);
  EXPECT_EQ(role->members[1].bit_size, 1U);
  const auto word = find_member(*role, "word");
  ASSERT_TRUE(word);
  EXPECT_EQ(word->bit_offset, 64U);
  EXPECT_EQ(type_name(*word->type), "u64");
  const Type* list = types.find(TypeKind::structure, "list_head");
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(declaration(list->members[0].type.get(), "next"), "struct list_head *next");
  EXPECT_EQ(&list->members[0].type.get().target.get(), list);
}

TEST(BtfTypes, AreSpelledAsFromDwarf) {
  const Kernel kernel;
  const BtfTypes types = kernel.types();
  const Type* integer = types.find(TypeKind::integer, "unsigned long");
  ASSERT_NE(integer, nullptr);
  EXPECT_EQ(integer->name, "unsigned long");
  EXPECT_EQ(integer->size, 8U);
  EXPECT_FALSE(integer->is_signed);
  ASSERT_NE(types.find(TypeKind::integer, "_Bool"), nullptr);
  EXPECT_EQ(types.find(TypeKind::integer, "_Bool")->kind, TypeKind::boolean);
  EXPECT_EQ(types.names(TypeKind::structure, "", 10),
            (std::vector<std::string>{"list_head", "role", "tail"}));
  EXPECT_EQ(types.names(TypeKind::structure, "", 1).size(), 1U);
}

TEST(BtfTypes, AMereDeclarationIsNone) {
  const Kernel kernel;
  EXPECT_EQ(kernel.types().find(TypeKind::structure, "page"), nullptr);
}

TEST(BtfTypes, EnumsHaveTheirValues) {
  const Kernel kernel;
  const BtfTypes types = kernel.types();
  const Type* mode = types.find(TypeKind::enumeration, "mode");
  ASSERT_NE(mode, nullptr);
  EXPECT_EQ(mode->enumerators[1].name, "INSIDE");
  EXPECT_EQ(mode->enumerators[1].value, 1);
  const Type* wide = types.find(TypeKind::enumeration, "wide");
  ASSERT_NE(wide, nullptr);
  EXPECT_TRUE(wide->is_signed);
  EXPECT_EQ(wide->size, 8U);
  EXPECT_EQ(wide->enumerators[0].value, -2);
}

TEST(BtfTypes, AFlexibleArrayHasNoCount) {
  const Kernel kernel;
  const BtfTypes types = kernel.types();
  const Type* tail = types.find(TypeKind::structure, "tail");
  ASSERT_NE(tail, nullptr);
  EXPECT_EQ(tail->members[1].type.get().count, std::nullopt);
  EXPECT_EQ(tail->members[1].type.get().size, 0U);
}

TEST(BtfTypes, AModulesStandOnThoseOfVmlinux) {
  const Kernel kernel;
  const BtfTypes vmlinux = kernel.types();
  const BtfMaker kvm(&kernel.maker);
  btf__add_struct(kvm.get(), "kvm", 24);
  btf__add_field(kvm.get(), "vm_list", 3, 0, 0);
  btf__add_field(kvm.get(), "id", 5, 128, 0);
  const BtfTypes types(kvm.bytes(), "kvm", &vmlinux);
  const Type* found = types.find(TypeKind::structure, "kvm");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(&found->members[0].type.get(), vmlinux.find(TypeKind::structure, "list_head"));
  EXPECT_EQ(types.find(TypeKind::structure, "role"), nullptr);
  EXPECT_EQ(types.names(TypeKind::structure, "", 10), std::vector<std::string>{"kvm"});
}

// Loads whatever there is, as deep as members go.
void look_at_all(const BtfTypes& types) {
  for (const TypeKind kind : {TypeKind::structure, TypeKind::union_type, TypeKind::enumeration,
                              TypeKind::typedef_type, TypeKind::integer})
    for (const std::string& name : types.names(kind, "", 1000)) {
      const Type* type = types.find(kind, name);
      if (type == nullptr) continue;
      declaration(*type, "x");
      if (is_aggregate(*type)) find_member(*type, "no such member");
      for (const Member& member : strip(*type).members) declaration(member.type.get(), member.name);
    }
}

// Whether the types are refused, at once or when one is looked at; anything else ends the test.
bool is_refused(Bytes data) {
  try {
    look_at_all(BtfTypes(data, "vmlinux"));
    return false;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::corrupt) << error.what();
    return true;
  }
}

TEST(BtfTypes, CutShortAreRefused) {
  const Kernel kernel;
  const Bytes whole = kernel.maker.bytes();
  EXPECT_FALSE(is_refused(whole));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_TRUE(is_refused(whole.first(size))) << size;
}

TEST(BtfTypes, WithAnyByteChangedMakeSenseOrAreRefused) {
  const Kernel kernel;
  const Bytes whole = kernel.maker.bytes();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const unsigned change : {0x01U, 0x80U, 0xffU}) {
      std::vector<std::byte> data(whole.begin(), whole.end());
      data[at] ^= std::byte(change);
      refused += is_refused(data) ? 1 : 0;
    }
  EXPECT_GT(refused, whole.size() / 4);
}

TEST(BtfTypes, GarbageIsRefusedOrMakesSense) {
  const Kernel kernel;
  const Bytes whole = kernel.maker.bytes();
  std::mt19937 random(20261128);
  for (unsigned round = 0; round < 20'000; ++round) {
    std::vector<std::byte> data(whole.begin(), whole.end());
    for (unsigned change = random() % 8 + 1; change > 0; --change)
      data[random() % data.size()] = std::byte(random());
    is_refused(data);
  }
}

TEST(BtfTypes, ThatContainThemselvesAreRefused) {
  const BtfMaker maker;
  btf__add_struct(maker.get(), "self", 8);
  btf__add_field(maker.get(), nullptr, 1, 0, 0);
  EXPECT_TRUE(is_refused(maker.bytes()));
  const BtfMaker names;
  btf__add_typedef(names.get(), "a", 2);
  btf__add_typedef(names.get(), "b", 1);
  EXPECT_TRUE(is_refused(names.bytes()));
  const BtfMaker pointers;
  btf__add_struct(pointers.get(), "points", 8);
  btf__add_field(pointers.get(), "to", 2, 0, 0);
  btf__add_ptr(pointers.get(), 2);
  EXPECT_TRUE(is_refused(pointers.bytes()));
}

TEST(BtfTypes, MembersOutsideAreRefused) {
  const BtfMaker maker;
  btf__add_int(maker.get(), "int", 4, BTF_INT_SIGNED);
  btf__add_struct(maker.get(), "small", 4);
  btf__add_field(maker.get(), "far", 1, 64, 0);
  EXPECT_TRUE(is_refused(maker.bytes()));
}

}  // namespace
}  // namespace kvmscope
