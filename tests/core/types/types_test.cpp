// Types of several sources, asked in order.

#include "core/types/types.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "tests/support/fake_types.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TypesTest : public testing::Test {
 protected:
  TypesTest() {
    kvm_.structure("kvm", 100, {});
    kvm_.declared(TypeKind::structure, "xa_node");
    vmlinux_.structure("kvm", 200, {});
    vmlinux_.structure("xa_node", 576, {});
    types_.add("kvm", [this] { return &kvm_; });
    types_.add("missing", [] { return nullptr; });
    types_.add("vmlinux", [this] {
      ++vmlinux_opened_;
      return &vmlinux_;
    });
  }

  FakeTypes kvm_;
  FakeTypes vmlinux_;
  int vmlinux_opened_ = 0;
  Types types_;
};

TEST_F(TypesTest, TheFirstSourceThatHasADefinitionAnswers) {
  EXPECT_EQ(types_.find(TypeKind::structure, "kvm").type->size, 100u);
  EXPECT_EQ(types_.find(TypeKind::structure, "kvm").origin, "kvm");
  EXPECT_EQ(types_.find(TypeKind::structure, "xa_node").origin, "vmlinux");
}

TEST_F(TypesTest, ASourceIsOpenedOnceAndOnlyWhenTheOnesBeforeHadNoAnswer) {
  types_.find(TypeKind::structure, "kvm");
  EXPECT_EQ(vmlinux_opened_, 0);
  types_.find(TypeKind::structure, "xa_node");
  types_.find(TypeKind::structure, "nobody");
  EXPECT_EQ(vmlinux_opened_, 1);
}

TEST_F(TypesTest, ATypeThatNobodyHasIsAnErrorThatNamesTheSources) {
  EXPECT_EQ(types_.find(TypeKind::structure, "nobody").type, nullptr);
  try {
    types_.get(TypeKind::structure, "nobody");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("struct nobody"));
    EXPECT_THAT(error.what(), HasSubstr("kvm, vmlinux"));
  }
  EXPECT_EQ(types_.get(TypeKind::structure, "kvm").size, 100u);
}

TEST_F(TypesTest, ASourceAddedLaterIsAskedForWhatWasMissing) {
  FakeTypes late;
  late.structure("nobody", 8, {});
  EXPECT_EQ(types_.find(TypeKind::structure, "nobody").type, nullptr);
  types_.add("late", [&] { return &late; });
  EXPECT_EQ(types_.find(TypeKind::structure, "nobody").origin, "late");
}

TEST_F(TypesTest, ADeclaredTypeIsCompletedFromAnotherSource) {
  const Type& declared = kvm_.declared(TypeKind::structure, "xa_node");
  EXPECT_EQ(types_.complete(declared).size, 576u);
  const Type& unknown = kvm_.declared(TypeKind::structure, "unknown");
  EXPECT_EQ(&types_.complete(unknown), &unknown);
  EXPECT_EQ(&types_.complete(kvm_.u64()), &kvm_.u64());
}

TEST_F(TypesTest, BaseTypesAreFoundInEverySpelling) {
  const Type* type = types_.find(TypeKind::integer, "unsigned long").type;
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(types_.find(TypeKind::integer, "long unsigned int").type, type);
  EXPECT_EQ(types_.find(TypeKind::integer, "bool").type->kind, TypeKind::boolean);
}

TEST_F(TypesTest, AnIntegerWithAnotherNameIsLookedUpAsATypedef) {
  const Type* type = types_.find(TypeKind::integer, "u64").type;
  ASSERT_NE(type, nullptr);
  EXPECT_EQ(type->kind, TypeKind::typedef_type);
}

TEST_F(TypesTest, NamesOfAllSourcesAreListedOnce) {
  EXPECT_THAT(types_.names(TypeKind::structure, "k", 10), ElementsAre("kvm"));
  EXPECT_THAT(types_.names(TypeKind::structure, "", 2), ElementsAre("hlist_head", "hlist_node"));
}

TEST_F(TypesTest, DerivedTypesAreMadeOnce) {
  const Type& kvm = types_.get(TypeKind::structure, "kvm");
  EXPECT_EQ(type_name(types_.pointer_to(kvm)), "struct kvm *");
  EXPECT_EQ(&types_.pointer_to(kvm), &types_.pointer_to(kvm));
  EXPECT_EQ(types_.array_of(kvm, 3).size, 300u);
  EXPECT_EQ(&types_.array_of(kvm, 3), &types_.array_of(kvm, 3));
  EXPECT_NE(&types_.array_of(kvm, 3), &types_.array_of(kvm, 4));
  EXPECT_THROW(types_.array_of(kvm, 1ULL << 60), Error);
}

TEST_F(TypesTest, IntegersAreNamedAsInC) {
  EXPECT_EQ(types_.integer(8, false).name, "unsigned long");
  EXPECT_EQ(types_.integer(8, true).name, "long");
  EXPECT_EQ(types_.integer(1, false).name, "unsigned char");
  EXPECT_EQ(types_.integer(4, true).name, "int");
  EXPECT_TRUE(types_.integer(4, true).is_signed);
  EXPECT_EQ(&types_.integer(2, false), &types_.integer(2, false));
}

}  // namespace
}  // namespace kvmscope
