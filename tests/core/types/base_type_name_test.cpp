// One spelling for base types.

#include "core/types/base_type_name.hpp"

#include <gtest/gtest.h>

namespace kvmscope {
namespace {

TEST(BaseTypeNameTest, SpellingsOfGccAndClangBecomeTheUsualOne) {
  EXPECT_EQ(base_type_name("long unsigned int"), "unsigned long");
  EXPECT_EQ(base_type_name("unsigned long"), "unsigned long");
  EXPECT_EQ(base_type_name("long int"), "long");
  EXPECT_EQ(base_type_name("short unsigned int"), "unsigned short");
  EXPECT_EQ(base_type_name("short int"), "short");
  EXPECT_EQ(base_type_name("long long unsigned int"), "unsigned long long");
  EXPECT_EQ(base_type_name("unsigned"), "unsigned int");
  EXPECT_EQ(base_type_name("signed"), "int");
  EXPECT_EQ(base_type_name("signed char"), "signed char");
  EXPECT_EQ(base_type_name("char"), "char");
  EXPECT_EQ(base_type_name("bool"), "_Bool");
  EXPECT_EQ(base_type_name("long double"), "long double");
  EXPECT_EQ(base_type_name("__int128 unsigned"), "unsigned __int128");
}

TEST(BaseTypeNameTest, OtherNamesStayAsTheyAre) {
  EXPECT_EQ(base_type_name("u64"), "u64");
  EXPECT_EQ(base_type_name("long gone"), "long gone");
  EXPECT_EQ(base_type_name(""), "");
}

TEST(BaseTypeNameTest, TellsBaseTypesFromTypedefs) {
  EXPECT_TRUE(is_base_type_name("unsigned long"));
  EXPECT_TRUE(is_base_type_name("_Bool"));
  EXPECT_FALSE(is_base_type_name("u64"));
  EXPECT_FALSE(is_base_type_name("unsigned u64"));
  EXPECT_FALSE(is_base_type_name(" "));
}

}  // namespace
}  // namespace kvmscope
