// Names over several units: definitions, declarations, and which unit is asked first.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/types/type.hpp"
#include "dwarf/debug_file.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;

// What only the MMU defines, main.c declares; `shared` differs so that a test sees which is used.
const std::vector<std::pair<std::string, std::string>> two_units = {
    {"main.c", R"(struct hidden; struct hidden *pointer; struct shared { char a; } first;
                  struct only_main { int a; struct hidden *hidden; } main_variable;
                  extern int defined_later[];)"},
    {"mmu.c", R"(struct hidden { long a, b; } here; struct shared { char a[2]; } second;
                 int defined_later[3]; enum only_mmu { one } e; typedef int number_t; number_t n;)"},
};

class TypeIndexTest : public testing::Test {
 protected:
  const Type* find(std::string_view name, TypeKind kind = TypeKind::structure) {
    return file_->types().find(kind, name);
  }

  TemporaryFolder folder_;
  std::unique_ptr<DebugFile> file_ = open_debug_file(folder_.module("kvm.ko", two_units));
};

TEST_F(TypeIndexTest, ADefinitionInAnotherUnitIsFoundBehindADeclaration) {
  const Type* hidden = find("hidden");
  ASSERT_NE(hidden, nullptr);
  EXPECT_EQ(hidden->size, 16u);
}

TEST_F(TypeIndexTest, TheMmuUnitIsAskedBeforeTheOthers) {
  ASSERT_NE(find("shared"), nullptr);
  EXPECT_EQ(find("shared")->size, 2u);
}

TEST_F(TypeIndexTest, OtherUnitsAreAskedToo) {
  ASSERT_NE(find("only_main"), nullptr);
  EXPECT_EQ(find("only_main")->members.size(), 2u);
}

TEST_F(TypeIndexTest, ANameThatNobodyDefinesIsNotFound) {
  EXPECT_EQ(find("nobody"), nullptr);
  EXPECT_EQ(find("hidden", TypeKind::union_type), nullptr);
  EXPECT_EQ(find("shared", TypeKind::pointer), nullptr);
  EXPECT_EQ(find(""), nullptr);
}

TEST_F(TypeIndexTest, AVariableIsPreferredWhereItIsDefined) {
  EXPECT_EQ(file_->variable_type("defined_later")->count, 3u);
}

TEST_F(TypeIndexTest, NamesComeFromAllUnitsInOrder) {
  EXPECT_THAT(file_->types().names(TypeKind::structure, "", 10),
              ElementsAre("hidden", "only_main", "shared"));
  EXPECT_THAT(file_->types().names(TypeKind::structure, "", 2), ElementsAre("hidden", "only_main"));
  EXPECT_THAT(file_->types().names(TypeKind::structure, "sh", 10), ElementsAre("shared"));
  EXPECT_THAT(file_->types().names(TypeKind::enumeration, "", 10), ElementsAre("only_mmu"));
  EXPECT_THAT(file_->types().names(TypeKind::typedef_type, "", 10), ElementsAre("number_t"));
}

TEST_F(TypeIndexTest, NamesAreWholeBeforeAndAfterALookup) {
  find("hidden");
  EXPECT_EQ(file_->types().names(TypeKind::structure, "", 10).size(), 3u);
  EXPECT_NE(find("only_main"), nullptr);
}

}  // namespace
}  // namespace kvmscope
