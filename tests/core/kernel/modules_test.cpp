// The list of modules, their symbols, and the build-id in their memory.

#include "core/kernel/modules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel_eras.hpp"
#include "tests/support/fake_kernel_module.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;

// Physical memory at its place in the direct map.
class DirectMap : public VirtReader {
 public:
  explicit DirectMap(const FakeMemory& memory) : memory_(memory) {}
  void read(VirtAddr at, MutableBytes into) const override {
    memory_.physical().read(FakeMemory::phys(at), into);
  }

 private:
  const FakeMemory& memory_;
};

class ModulesOfEra : public testing::TestWithParam<Era> {
 protected:
  ModulesOfEra() {
    declare_kernel(fake_, GetParam());
    types_.add("kvm", [this] { return &fake_; });
    head_ = memory_.allocate(16);
    memory_.init_list(head_);
  }

  std::vector<Module> modules() { return read_modules(ModuleFields(types_), reader_, head_); }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const Module& module : modules()) names.push_back(module.name);
    return names;
  }
  ModuleSymbols symbols(const Module& module) {
    return {ModKallsymsFields(types_), reader_, module};
  }

  FakeTypes fake_;
  Types types_;
  FakeMemory memory_{types_};
  DirectMap reader_{memory_};
  VirtAddr head_;
};

const std::vector<Symbol> some_symbols = {{"vm_list", 0xffffffffc0001000, 16, 'D', ""},
                                          {"kvm_mmu_load", 0xffffffffc0000100, 64, 'T', ""},
                                          {"mmu_sync_children", 0xffffffffc0000200, 128, 't', ""},
                                          {"kvm_usage_count", 0xffffffffc0001010, 4, 'd', ""}};

TEST_P(ModulesOfEra, AreListedWithTheirPlaces) {
  const FakeModulePlaces amd = add_module(memory_, {.name = "kvm_amd"}, head_);
  add_module(memory_, {.name = "kvm", .has_kallsyms = false}, head_);

  const std::vector<Module> found = modules();

  EXPECT_THAT(names(), ElementsAre("kvm_amd", "kvm"));
  EXPECT_EQ(found[0].address, amd.module);
  EXPECT_EQ(found[0].rodata, amd.rodata);
  EXPECT_EQ(found[0].rodata_size, page_size);
  EXPECT_EQ(found[0].text_size, page_size);
  EXPECT_EQ(found[0].kallsyms, amd.kallsyms);
  EXPECT_EQ(found[1].kallsyms, VirtAddr{});
}

TEST_P(ModulesOfEra, MayBeNone) {
  EXPECT_TRUE(modules().empty());
}

TEST_P(ModulesOfEra, HaveSymbolsOfEachKind) {
  add_module(memory_, {.name = "kvm", .symbols = some_symbols}, head_);
  const ModuleSymbols symbols = this->symbols(modules()[0]);

  const std::optional<Symbol> list = symbols.find("vm_list");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->address, 0xffffffffc0001000u);
  EXPECT_EQ(list->size, 16u);
  EXPECT_EQ(list->type, 'D');
  EXPECT_EQ(list->module, "kvm");
  EXPECT_EQ(symbols.find("mmu_sync_children")->type, 't');
  EXPECT_EQ(symbols.find("kvm_mmu_load")->type, 'T');
  EXPECT_EQ(symbols.find("nothing"), std::nullopt);
  EXPECT_EQ(symbols.nearest(0xffffffffc00001ff)->name, "kvm_mmu_load");
  EXPECT_EQ(symbols.nearest(0x1000), std::nullopt);
  EXPECT_THAT(symbols.names("kvm_", 10), ElementsAre("kvm_mmu_load", "kvm_usage_count"));
  EXPECT_THAT(symbols.names("", 1), ElementsAre("kvm_mmu_load"));
}

TEST_P(ModulesOfEra, CarryTheirBuildId) {
  const std::string id = "0123456789abcdef0123456789abcdef01234567";
  add_module(memory_, {.name = "kvm", .build_id = id}, head_);
  add_module(memory_, {.name = "plain"}, head_);
  EXPECT_EQ(module_build_id(reader_, modules()[0]), id);
  EXPECT_EQ(module_build_id(reader_, modules()[1]), "");
}

// ---- damage: what makes no sense is taken for a layout of another build

TEST_P(ModulesOfEra, OfNoSaneNameAreOfAnotherBuild) {
  for (const char* name : {"", "a b", "\x80\xff"}) {
    const FakeModulePlaces places = add_module(memory_, {.name = "kvm"}, head_);
    memory_.write(memory_.member(places.module, "module", "name"),
                  std::string_view(name, std::max<std::size_t>(1, std::strlen(name))));
    EXPECT_ERROR(modules(), ErrorKind::unavailable, "no sane name");
    EXPECT_ERROR(modules(), ErrorKind::unavailable, "probably of another build");
    memory_.init_list(head_);
  }
}

TEST_P(ModulesOfEra, WhoseLinksDisagreeAreOfAnotherBuild) {
  const FakeModulePlaces places = add_module(memory_, {.name = "kvm"}, head_);
  memory_.set(memory_.member(places.module, "module", "list"), "list_head", "prev", 0x1234);
  EXPECT_ERROR(modules(), ErrorKind::unavailable, "probably of another build");
}

TEST_P(ModulesOfEra, ThatAreMissingAreOfAnotherBuild) {
  const FakeModulePlaces places = add_module(memory_, {.name = "kvm"}, head_);
  memory_.leave_out(places.module, 64);
  EXPECT_ERROR(modules(), ErrorKind::unavailable, "no such memory");
}

TEST_P(ModulesOfEra, WithTooManySymbolsAreCorrupt) {
  const FakeModulePlaces places = add_module(memory_, {.name = "kvm"}, head_);
  memory_.set(places.kallsyms, "mod_kallsyms", "num_symtab", 2'000'000'000);
  EXPECT_ERROR(symbols(modules()[0]), ErrorKind::corrupt, "claims 2000000000 symbols");
}

TEST_P(ModulesOfEra, WhoseNamesAreFarAwayAreCorrupt) {
  const FakeModulePlaces places =
      add_module(memory_, {.name = "kvm", .symbols = some_symbols}, head_);
  const VirtAddr table{memory_.get(places.kallsyms, "mod_kallsyms", "symtab")};
  memory_.poke(table + 24, 0xffffffff);  // st_name of the second symbol
  EXPECT_ERROR(symbols(modules()[0]), ErrorKind::corrupt, "string table");
}

TEST_P(ModulesOfEra, SayWhoseSymbolsAreMissing) {
  const FakeModulePlaces places =
      add_module(memory_, {.name = "kvm", .symbols = some_symbols}, head_);
  memory_.leave_out({memory_.get(places.kallsyms, "mod_kallsyms", "strtab")}, 8);
  EXPECT_ERROR(symbols(modules()[0]), ErrorKind::fault, "reading the symbols of kvm");
}

INSTANTIATE_TEST_SUITE_P(Eras, ModulesOfEra, testing::Values(Era::v6_1, Era::v6_12),
                         [](const auto& tested) { return std::string(name(tested.param)); });

// A read-only part whose size is wild is searched for a note only at its start.
TEST(Modules, SearchOnlyTheStartOfAWildSizeForANote) {
  FakeTypes fake;
  declare_kernel(fake, Era::v6_1);
  Types types;
  types.add("kvm", [&] { return &fake; });
  FakeMemory memory(types);
  Module module;
  module.rodata = memory.allocate_page();
  for (int i = 0; i < 2047; ++i) memory.allocate_page();  // 8 MiB in all
  module.rodata_size = ~0ULL;
  const std::uint64_t before = memory.physical().counts().bytes;
  EXPECT_EQ(module_build_id(DirectMap(memory), module), "");
  EXPECT_LE(memory.physical().counts().bytes - before, 8U << 20);
}

}  // namespace
}  // namespace kvmscope
