// Debug files as they come: stripped, compressed, cut short, damaged.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/base/error.hpp"
#include "core/types/type.hpp"
#include "dwarf/debug_file.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;

constexpr const char* source = R"(
  struct list_head { struct list_head *next, *prev; } head;
  struct page { unsigned flags : 3; struct list_head link; char name[4][2]; } page;
  enum kind { one, two } kind;
  typedef unsigned long long number_t;
  number_t number(struct page *p);
  static inline __attribute__((always_inline)) int twice(int value) { return value + number(0); }
  number_t number(struct page *p) { struct page q = *p; return p ? twice(q.flags) : q.flags; }
)";

void read_code(const CodeSource& code) {
  for (const std::string& name : code.functions("", 100)) {
    for (const CodeBlock& block : code.copies(name)) {
      code.inlined(block, "twice");
      code.calls(block, "twice");
      for (const CodeRange& range : block.ranges) {
        code.blocks_at(range.begin);
        code.variables(range.begin + 1);
        code.line_at(range.begin);
      }
    }
  }
  code.lines("whole.c", 6);
  code.lines_near("whole.c", 1, 3);
}

// Everything that a program reads from a file, so that damage is met wherever it is.
void read_all(const std::string& path) {
  const auto file = open_debug_file(path);
  for (const TypeKind kind :
       {TypeKind::structure, TypeKind::enumeration, TypeKind::typedef_type, TypeKind::integer}) {
    for (const std::string& name : file->types().names(kind, "", 100)) {
      const Type* type = file->types().find(kind, name);
      if (type == nullptr) continue;
      for (const Member& member : type->members) declaration(member.type.get(), member.name);
      find_member(*type, "nowhere");
      strip(*type);
    }
  }
  file->variable_type("page");
  file->symbols().find("number");
  file->symbols().nearest(0);
  file->symbols().names("", 10);
  read_code(file->code());
}

// What was wrong, or "" when the file could be read in spite of it.
std::string fault_of(const std::string& path) {
  try {
    read_all(path);
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(path));
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    return error.what();
  }
  return "";
}

TEST(DebugFileTest, KnowsTheBuildIdOfAModuleAndOfAKernel) {
  const TemporaryFolder folder;
  for (const std::string& path :
       {folder.module("kvm.ko", {{"a.c", source}}), folder.kernel("vmlinux", source)}) {
    const auto file = open_debug_file(path);
    EXPECT_EQ(file->build_id().size(), 40u);
    EXPECT_EQ(file->build_id().find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_EQ(file->path(), path);
    EXPECT_TRUE(file->has_types());
  }
}

TEST(DebugFileTest, FindsTheBuildIdWithoutASectionOfItsOwn) {
  const TemporaryFolder folder;
  const std::string path = folder.kernel("vmlinux", source);
  const std::string build_id = open_debug_file(path)->build_id();
  folder.run("objcopy --rename-section .note.gnu.build-id=.notes vmlinux");
  EXPECT_EQ(open_debug_file(path)->build_id(), build_id);
}

TEST(DebugFileTest, AnObjectWithoutABuildIdHasNone) {
  const TemporaryFolder folder;
  EXPECT_EQ(open_debug_file(folder.compile("a.o", source))->build_id(), "");
}

TEST(DebugFileTest, AStrippedFileHasSymbolsButNoTypes) {
  const TemporaryFolder folder;
  const auto file = open_debug_file(folder.compile("kvm.ko", source, "gcc"));
  EXPECT_FALSE(file->has_types());
  EXPECT_EQ(file->types().find(TypeKind::structure, "page"), nullptr);
  EXPECT_TRUE(file->types().names(TypeKind::structure, "", 10).empty());
  EXPECT_EQ(file->variable_type("page"), nullptr);
  EXPECT_TRUE(file->symbols().find("number").has_value());
}

TEST(DebugFileTest, ASeparateDebugFileHasTypesAndTheSameBuildId) {
  const TemporaryFolder folder;
  const std::string path = folder.kernel("vmlinux", source);
  folder.run("objcopy --only-keep-debug vmlinux vmlinux.debug && strip vmlinux");
  const auto file = open_debug_file(folder.path("vmlinux.debug"));
  EXPECT_EQ(file->build_id(), open_debug_file(path)->build_id());
  EXPECT_NE(file->types().find(TypeKind::structure, "page"), nullptr);
  EXPECT_FALSE(open_debug_file(path)->has_types());
}

TEST(DebugFileTest, ReadsModulesPackedWithXz) {
  const TemporaryFolder folder;
  folder.compile("kvm-amd.ko", source);
  folder.run("xz -k kvm-amd.ko");
  const auto file = open_debug_file(folder.path("kvm-amd.ko.xz"));
  const Type* page = file->types().find(TypeKind::structure, "page");
  ASSERT_NE(page, nullptr);
  EXPECT_EQ(page->members[0].bit_size, 3u);
  EXPECT_EQ(file->symbols().find("number")->module, "kvm_amd");
}

TEST(DebugFileTest, SaysSoWhenAPackedFileCannotBeUnpacked) {
  const TemporaryFolder folder;
  const std::string zstd = "\x28\xb5\x2f\xfd nothing that unpacks";
  EXPECT_THAT(fault_of(folder.write("kvm.ko.zst", zstd)), HasSubstr("compressed (zstd)"));
}

TEST(DebugFileTest, SaysWhatIsWrongWithOtherFiles) {
  const TemporaryFolder folder;
  EXPECT_THAT(fault_of(folder.path("missing")), HasSubstr("No such file"));
  EXPECT_THAT(fault_of(folder.path()), HasSubstr("not a regular file"));
  EXPECT_THAT(fault_of(folder.write("empty", "")), HasSubstr("not an ELF file"));
  EXPECT_THAT(fault_of(folder.write("text", std::string(1000, 'x'))), HasSubstr("not an ELF file"));
  const std::string path = folder.compile("a.o", source, "gcc -g -m32");
  EXPECT_THAT(fault_of(path), HasSubstr("not an ELF file of x86-64"));
}

TEST(DebugFileTest, AFileCutShortIsAnErrorWhereverItWasCut) {
  const TemporaryFolder folder;
  for (const char* compiler : {"gcc -gdwarf-5", "gcc -gdwarf-4 -gz"}) {
    folder.compile("whole.ko", source, compiler);
    const std::string whole = folder.read("whole.ko");
    EXPECT_EQ(fault_of(folder.path("whole.ko")), "");
    for (std::size_t size = 0; size < whole.size(); size += 61)
      EXPECT_NE(fault_of(folder.write("cut.ko", whole.substr(0, size))), "") << size;
  }
}

TEST(DebugFileTest, DamagedBytesAreAnErrorOrOtherTypesButNeverACrash) {
  const TemporaryFolder folder;
  std::mt19937 random(1);
  for (const char* compiler : {"gcc -gdwarf-5", "clang -gdwarf-5", "gcc -gdwarf-4"}) {
    folder.compile("whole.ko", source, compiler);
    const std::string whole = folder.read("whole.ko");
    int errors = 0;
    for (int round = 0; round < 400; ++round) {
      std::string damaged = whole;
      for (int i = 0; i < 8; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
      errors += fault_of(folder.write("damaged.ko", damaged)).empty() ? 0 : 1;
    }
    EXPECT_GT(errors, 0);
  }
}

TEST(DebugFileTest, ModulesAreKnownByFileName) {
  for (const char* name : {"kvm-amd.ko", "/x/kvm_amd.ko.debug", "kvm-amd.ko.xz"})
    EXPECT_EQ(module_of_file(name), "kvm-amd") << name;
  for (const char* name : {"vmlinux", "/boot/vmlinux-6.1.0-56-cloud-amd64", "vmlinux.debug"})
    EXPECT_EQ(module_of_file(name), "vmlinux") << name;
  for (const char* name : {"vmlinuz-6.1", "kvm.kolibri", ".ko", "/a.ko/System.map", ""})
    EXPECT_EQ(module_of_file(name), "") << name;
}

}  // namespace
}  // namespace kvmscope
