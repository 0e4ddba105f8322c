// Types out of DWARF that two compilers write in several versions.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "core/base/error.hpp"
#include "core/types/type.hpp"
#include "dwarf/debug_file.hpp"
#include "dwarf/elf_file.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope {
namespace {

constexpr std::string_view source = R"(
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef u64 gfn_t;
typedef gfn_t frame_t;
enum state { running, blocked = 7, halted = 200, huge = 0xfffffff0u };
enum sign { minus = -5, plus = 3 };
struct list_head { struct list_head *next, *prev; };
struct unknown;
union role {
  u32 word;
  struct {
    unsigned level : 4, has_4_byte_gpte : 1, quadrant : 2, direct : 1, access : 3, invalid : 1;
    unsigned : 12;
    unsigned smm : 8;
  };
};
struct page {
  struct list_head link;
  _Bool unsync;
  union { int root_count; struct { short low; short high; }; };
  union role role;
  volatile const u64 *const spt;
  frame_t gfn;
  u64 wide : 40, narrow : 3;
  signed char delta : 5;
  _Bool flag : 1;
  struct unknown *other;
  int (*handler)(struct page *, int);
  u8 grid[3][5];
  int none[0];
  void *nothing;
  const void *nothing_const;
  enum state state;
  long double real;
  u64 bitmap[];
};
struct { int x; } unnamed;
struct page *pages[4];
static volatile const frame_t first_frame = 3;
extern int elsewhere[];
enum sign sign;
char letter; short small; long long longer; unsigned long long unsigned_longer; __int128 widest;
u64 use(void) { return first_frame + elsewhere[0]; }

// What the compiler itself says: fields with all bits set, offsets and sizes.
#define FIELD(type, name, field) __attribute__((section("oracle"))) \
  union { type value; u8 bytes[160]; } oracle_##name = {.value = {.field = -1}}
FIELD(union role, level, level);
FIELD(union role, quadrant, quadrant);
FIELD(union role, access, access);
FIELD(union role, smm, smm);
FIELD(struct page, wide, wide);
FIELD(struct page, narrow, narrow);
FIELD(struct page, delta, delta);
FIELD(struct page, flag, flag);
#define OFFSET(name) __attribute__((section("oracle"))) u64 oracle_at_##name = \
  __builtin_offsetof(struct page, name)
OFFSET(role); OFFSET(high); OFFSET(gfn); OFFSET(grid); OFFSET(real); OFFSET(bitmap);
__attribute__((section("oracle"))) u64 oracle_size = sizeof(struct page);
)";

class DwarfTypesTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string compiler = GetParam();
    const std::string program = compiler.substr(0, compiler.find(' '));
    if (std::system(fmt::format("command -v {} >/dev/null", program).c_str()) != 0)
      GTEST_SKIP() << program << " is not installed";
    file_ = open_debug_file(compiled(compiler));
  }

  // Compiled once for all tests.
  static std::string compiled(const std::string& compiler) {
    static const TemporaryFolder folder;
    const std::string name = fmt::format("{}.o", std::hash<std::string>{}(compiler));
    if (std::filesystem::exists(folder.path(name))) return folder.path(name);
    return folder.compile(name, source, compiler);
  }

  const Type& get(std::string_view name, TypeKind kind = TypeKind::structure) {
    const Type* type = file_->types().find(kind, name);
    if (type == nullptr) throw_error(ErrorKind::internal, "{} was not found", name);
    return *type;
  }
  const Type& member_type(std::string_view name) {
    return *find_member(get("page"), name).value().type;
  }
  std::string variable(std::string_view name) {
    const Type* type = file_->variable_type(name);
    return type == nullptr ? "none" : type_name(*type);
  }
  Bytes oracle(std::string_view name) {
    const dwarf::ElfFile elf(file_->path());
    const auto symbol = file_->symbols().find(fmt::format("oracle_{}", name)).value();
    const Bytes section = elf.data(elf.section("oracle").value());
    kept_.assign(section.begin() + static_cast<std::ptrdiff_t>(symbol.address), section.end());
    return kept_;
  }
  std::uint64_t number(std::string_view name) { return load<std::uint64_t>(oracle(name)); }

  std::unique_ptr<DebugFile> file_;
  std::vector<std::byte> kept_;
};

TEST_P(DwarfTypesTest, BitFieldsLieWhereTheCompilerPutsThem) {
  const auto check = [&](const Type& type, std::string_view name) {
    const auto field = find_member(type, name).value();
    const Bytes bytes = oracle(name);
    for (std::uint64_t bit = 0; bit < type.size * 8; ++bit) {
      const bool is_set = ((bytes[bit / 8] >> (bit % 8)) & std::byte{1}) != std::byte{0};
      const bool in_field = bit >= field.bit_offset && bit < field.bit_offset + field.bit_size;
      EXPECT_EQ(is_set, in_field) << name << " bit " << bit;
    }
  };
  for (const char* name : {"level", "quadrant", "access", "smm"})
    check(get("role", TypeKind::union_type), name);
  for (const char* name : {"wide", "narrow", "delta", "flag"}) check(get("page"), name);
}

TEST_P(DwarfTypesTest, MembersLieWhereTheCompilerPutsThem) {
  EXPECT_EQ(get("page").size, number("size"));
  for (const char* name : {"role", "high", "gfn", "grid", "real", "bitmap"})
    EXPECT_EQ(find_member(get("page"), name).value().bit_offset,
              8 * number(fmt::format("at_{}", name)))
        << name;
}

TEST_P(DwarfTypesTest, AnonymousMembersHaveNoName) {
  const Type& page = get("page");
  EXPECT_EQ(page.members[2].name, "");
  EXPECT_TRUE(is_aggregate(page.members[2].type.get()));
  EXPECT_EQ(page.members[2].bit_size, 0u);
}

TEST_P(DwarfTypesTest, QualifiersAreDropped) {
  const Type& spt = member_type("spt");
  EXPECT_EQ(spt.kind, TypeKind::pointer);
  EXPECT_EQ(spt.target.get().name, "u64");
  EXPECT_FALSE(member_type("nothing").target);
  EXPECT_FALSE(member_type("nothing_const").target);
}

TEST_P(DwarfTypesTest, TypedefsAreFollowedToTheirType) {
  const Type& frame = get("frame_t", TypeKind::typedef_type);
  EXPECT_EQ(frame.size, 8u);
  EXPECT_EQ(frame.target.get().name, "gfn_t");
  EXPECT_EQ(strip(frame).name, "unsigned long");
  EXPECT_EQ(strip(frame).kind, TypeKind::integer);
}

TEST_P(DwarfTypesTest, ArraysOfSeveralDimensionsNest) {
  const Type& grid = member_type("grid");
  EXPECT_EQ(grid.count, 3u);
  EXPECT_EQ(grid.size, 15u);
  EXPECT_EQ(grid.target.get().count, 5u);
  EXPECT_EQ(grid.target.get().target.get().name, "u8");
  EXPECT_EQ(type_name(grid), "u8 [3][5]");
}

TEST_P(DwarfTypesTest, AFlexibleArrayHasNoCount) {
  EXPECT_FALSE(member_type("bitmap").count.has_value());
  EXPECT_EQ(member_type("bitmap").size, 0u);
  EXPECT_EQ(member_type("none").size, 0u);
}

TEST_P(DwarfTypesTest, EnumeratorsKeepTheirSign) {
  const Type& state = get("state", TypeKind::enumeration);
  ASSERT_EQ(state.enumerators.size(), 4u);
  EXPECT_EQ(state.enumerators[2].name, "halted");
  EXPECT_EQ(state.enumerators[2].value, 200);
  EXPECT_EQ(state.enumerators[3].value, 0xfffffff0);
  EXPECT_FALSE(state.is_signed);
  EXPECT_EQ(state.size, 4u);
  const Type& sign = get("sign", TypeKind::enumeration);
  EXPECT_EQ(sign.enumerators[0].value, -5);
  EXPECT_TRUE(sign.is_signed);
}

TEST_P(DwarfTypesTest, BaseTypesAreFoundInEverySpelling) {
  EXPECT_EQ(get("unsigned long", TypeKind::integer).size, 8u);
  EXPECT_EQ(get("long unsigned int", TypeKind::integer).name, "unsigned long");
  EXPECT_FALSE(get("unsigned long", TypeKind::integer).is_signed);
  EXPECT_TRUE(get("long long", TypeKind::integer).is_signed);
  EXPECT_TRUE(get("char", TypeKind::integer).is_signed);
  EXPECT_EQ(get("short", TypeKind::integer).size, 2u);
  EXPECT_EQ(get("bool", TypeKind::integer).kind, TypeKind::boolean);
  EXPECT_EQ(get("long double", TypeKind::integer).kind, TypeKind::floating);
  EXPECT_EQ(get("__int128", TypeKind::integer).size, 16u);
}

TEST_P(DwarfTypesTest, ADeclarationIsNotADefinition) {
  EXPECT_EQ(file_->types().find(TypeKind::structure, "unknown"), nullptr);
  EXPECT_FALSE(member_type("other").target.get().is_complete);
  EXPECT_EQ(member_type("other").target.get().name, "unknown");
}

TEST_P(DwarfTypesTest, AListPointsToItself) {
  const Type& list = get("list_head");
  EXPECT_EQ(&list.members[0].type.get().target.get(), &list);
}

TEST_P(DwarfTypesTest, AFunctionPointerIsDeclaredAsInC) {
  EXPECT_EQ(declaration(member_type("handler"), "handler"), "int (*handler)(…)");
}

TEST_P(DwarfTypesTest, VariablesHaveTypes) {
  EXPECT_EQ(variable("pages"), "struct page *[4]");
  EXPECT_EQ(variable("first_frame"), "frame_t");
  EXPECT_EQ(variable("unnamed"), "struct {…}");
  EXPECT_EQ(variable("nothing_of_that_name"), "none");
}

TEST_P(DwarfTypesTest, AVariableOfAnotherFileHasItsDeclaredType) {
  if (std::string_view(GetParam()).starts_with("clang")) GTEST_SKIP() << "clang leaves them out";
  EXPECT_EQ(variable("elsewhere"), "int []");
}

INSTANTIATE_TEST_SUITE_P(Compilers, DwarfTypesTest,
                         testing::Values("gcc -gdwarf-5", "gcc -gdwarf-4",
                                         "gcc -gdwarf-3 -gstrict-dwarf",
                                         "gcc -gdwarf-2 -gstrict-dwarf", "gcc -gdwarf-5 -gz",
                                         "clang -gdwarf-5", "clang -gdwarf-4"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name)
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           return name;
                         });

}  // namespace
}  // namespace kvmscope
