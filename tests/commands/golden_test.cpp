// What commands print, byte for byte: golden/*.txt has command lines behind "$ ", each with its
// output and, if it is not 0, its status. KVMSCOPE_WRITE_GOLDEN=1 writes them anew: look at the
// difference before committing it.

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/fake_kernel_scenario.hpp"
#include "tests/support/fake_owner_tables.hpp"

namespace kvmscope {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t slot_hva = 0x7f2000000000;
constexpr std::string_view prompt = "$ ";

// The scenario with guest memory from gfn 0x200 on: a page with a text at gfn 0x204, which KVM
// maps, and a page table of the guest that leads to it from 0x8000000000.
struct Golden : FakeScenario {
  Golden() {
    FakeMemory& memory = kernel.memory();
    vm.add_slot({.id = 1, .base = 0x200, .npages = 0x400, .hva = slot_hva, .rmaps = true});
    std::array<VirtAddr, 5> pages;
    for (unsigned i = 0; i < pages.size(); ++i) {
      pages[i] = memory.allocate_page();
      tables.put(i, FakeMemory::phys(pages[i]).value | owner_page_bits);
    }
    vcpu.set("arch.cr3", 0x200000);
    for (unsigned i = 0; i < 4; ++i)
      memory.poke(pages[i] + (i == 0 ? 8 : 0), (0x201000 + i * 0x1000) | owner_table_bits);
    memory.write(pages[4], "Hello, guest");
    vm.map(synced, 7, {FakeMemory::phys(pages[4]).value >> 12}, {.gfn = 0x204});
    vm.reverse(synced, 7, 0x204);
    vm.set("stat.mmu_unsync", 5);
    vcpu.set("stat.generic.wait_hist[2]", 3);
  }

  FakeOwnerTables tables{kernel, vm, slot_hva};
};

std::string answer(FakeKernel& kernel, const std::string& line) {
  const FakeOutcome outcome = run_text(kernel, line);
  std::string text = outcome.text;
  for (const std::string& note : outcome.notes) text += "! " + note + '\n';
  if (outcome.status != 0) text += fmt::format("[status {}]\n", outcome.status);
  return text;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The file as it would be if all its lines were typed now.
std::string typed_again(const std::string& text) {
  std::istringstream lines(text);
  std::string now;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(prompt)) continue;
    Golden fresh;
    now += line + '\n' + answer(fresh.kernel, fresh.named(line.substr(prompt.size())));
  }
  return now;
}

TEST(Golden, EveryCommandPrintsWhatItPrinted) {
  const fs::path folder = fs::path(KVMSCOPE_SOURCE_DIR) / "tests/commands/golden";
  unsigned files = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename());
    const std::string before = read_file(entry.path());
    const std::string now = typed_again(before);
    ++files;
    if (std::getenv("KVMSCOPE_WRITE_GOLDEN") != nullptr)
      std::ofstream(entry.path(), std::ios::binary) << now;
    else
      EXPECT_EQ(now, before);
  }
  EXPECT_GE(files, 10U) << folder;
}

}  // namespace
}  // namespace kvmscope
