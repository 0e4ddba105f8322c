// Symbols of an executable and of a module.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dwarf/debug_file.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;

constexpr const char* source = R"(
  int data = 1; int zeroed; const int constant = 2; extern int elsewhere;
  static int hidden_data = 3;
  __attribute__((weak)) void weak(void) {}
  static __attribute__((noinline)) int hidden(void) { return hidden_data++; }
  int function(void) { return hidden() + data + zeroed + constant; }
  __asm__(".text\n label_without_type: nop");
)";

class ElfSymbolsTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::unique_ptr<DebugFile> kernel_ = open_debug_file(folder_.kernel("vmlinux", source));
  std::unique_ptr<DebugFile> module_ = open_debug_file(folder_.compile(
      "kvm_test.ko", fmt::format("{} int *use(void) {{ return &elsewhere; }}", source)));
};

TEST_F(ElfSymbolsTest, HaveTheLettersOfNm) {
  const auto letter = [&](std::string_view name) {
    return kernel_->symbols().find(name).value_or(Symbol{}).type;
  };
  EXPECT_EQ(letter("function"), 'T');
  EXPECT_EQ(letter("hidden"), 't');
  EXPECT_EQ(letter("data"), 'D');
  EXPECT_EQ(letter("hidden_data"), 'd');
  EXPECT_EQ(letter("zeroed"), 'B');
  EXPECT_EQ(letter("constant"), 'R');
  EXPECT_EQ(letter("weak"), 'W');
  EXPECT_EQ(letter("label_without_type"), 't');
}

TEST_F(ElfSymbolsTest, SayWhichModuleTheyBelongTo) {
  EXPECT_EQ(kernel_->symbols().find("function")->module, "");
  EXPECT_EQ(module_->symbols().find("function")->module, "kvm_test");
  EXPECT_EQ(module_->symbols().find("data")->size, 4u);
}

TEST_F(ElfSymbolsTest, UndefinedOnesAreNotThere) {
  EXPECT_FALSE(module_->symbols().find("elsewhere").has_value());
  EXPECT_FALSE(module_->symbols().find("").has_value());
  EXPECT_FALSE(module_->symbols().find("functio").has_value());
  EXPECT_FALSE(module_->symbols().find("functions").has_value());
}

TEST_F(ElfSymbolsTest, AreTheSameHoweverOftenTheyAreAskedFor) {
  const std::uint64_t address = kernel_->symbols().find("hidden")->address;
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(kernel_->symbols().find("hidden")->address, address);
    EXPECT_FALSE(kernel_->symbols().find("nobody").has_value());
  }
}

TEST_F(ElfSymbolsTest, TheNearestContainsOrPrecedesAnAddress) {
  for (const DebugFile* file : {kernel_.get(), module_.get()}) {
    const Symbol function = file->symbols().find("function").value();
    EXPECT_EQ(file->symbols().nearest(function.address)->name, "function");
    EXPECT_EQ(file->symbols().nearest(function.address + function.size - 1)->name, "function");
  }
  EXPECT_FALSE(kernel_->symbols().nearest(0).has_value());
}

TEST_F(ElfSymbolsTest, NamesAreCompletedInOrder) {
  EXPECT_THAT(module_->symbols().names("hid", 10), ElementsAre("hidden", "hidden_data"));
  EXPECT_THAT(module_->symbols().names("hid", 1), ElementsAre("hidden"));
}

}  // namespace
}  // namespace kvmscope
