// Walks of a real dump against a plain loop over the same tables, in one run.
//   walk_bench ELF-DUMP KDUMP DEBUG-FOLDER [--benchmark_…]
// Ratios are what counts: machines differ, and are noisy.

#include <benchmark/benchmark.h>
#include <elf.h>

#include <set>

#include "core/base/file.hpp"
#include "core/kvm/audit/audit.hpp"
#include "core/kvm/kvm.hpp"
#include "core/kvm/level_counter.hpp"
#include "core/kvm/mmu_counts.hpp"
#include "core/kvm/walk.hpp"
#include "core/memory/dump.hpp"
#include "dwarf/finder.hpp"

namespace kvmscope {
namespace {

// A dump with everything that a walk needs, opened once.
struct Target {
  Target(const std::string& path, const DebugFinder& finder, bool find_tables = true)
      : dump(open_dump(path)), kernel(*dump, finder), kvm(kernel) {
    kvm.spte_format();
    if (!find_tables) return;
    kvm.each_vm_address([&](VirtAddr address) { vms.push_back(kvm.vm_at(address, 0)); });
    for (const kvm::Vm& vm : vms)
      for (std::uint64_t idx = 0; idx < kvm.vcpu_count(vm); ++idx)
        for (const kvm::Root& root : kvm.roots(kvm.vcpu_at(vm, idx)))
          if (root.valid && root.page) starts.push_back(kvm::start_of(root));
    for (const kvm::TreeStart& start : starts) add_tables(start.table, start.level);
  }

  void add_tables(PhysAddr at, unsigned level) {
    if (!seen.insert(at).second) return;
    tables.push_back({at, level});
    const kvm::SpteFormat& format = kvm.spte_format();
    for (const std::uint64_t entry : read_table(kernel.physical(), at))
      if (format.kind(entry, level) == kvm::SpteKind::table)
        add_tables(format.target(entry), level - 1);
  }

  struct TableAt {
    PhysAddr at;
    unsigned level;
  };
  std::unique_ptr<Dump> dump;
  Kernel kernel;
  kvm::Kvm kvm;
  std::vector<kvm::Vm> vms;
  std::vector<kvm::TreeStart> starts;
  std::set<PhysAddr> seen;
  std::vector<TableAt> tables;
};

// The least that any reader has to do: look at every entry of every table, where it lies in
// the mapped file. The ELF core's first PT_LOADs map physical memory to the file.
std::vector<const std::uint64_t*> mapped_tables(const MappedFile& file, const Target& target) {
  const auto header = load<Elf64_Ehdr>(file.bytes());
  std::vector<const std::uint64_t*> result;
  for (const Target::TableAt& table : target.tables)
    for (unsigned i = 0; i < header.e_phnum; ++i) {
      const auto segment = load<Elf64_Phdr>(file.bytes(), header.e_phoff + i * sizeof(Elf64_Phdr));
      const std::uint64_t offset = table.at.value - segment.p_paddr;
      if (segment.p_type != PT_LOAD || table.at.value < segment.p_paddr ||
          offset >= segment.p_filesz)
        continue;
      result.push_back(
          reinterpret_cast<const std::uint64_t*>(file.bytes().data() + segment.p_offset + offset));
      break;
    }
  return result;
}

void plain_loop(benchmark::State& state, const MappedFile& file, const Target& target) {
  const std::vector<const std::uint64_t*> tables = mapped_tables(file, target);
  const kvm::SpteFormat format = target.kvm.spte_format();
  for (auto _ : state) {
    std::uint64_t leaves = 0, below = 0;
    for (std::size_t t = 0; t < tables.size(); ++t)
      for (unsigned i = 0; i < 512; ++i) {
        const std::uint64_t entry = tables[t][i];
        if (!format.is_present(entry)) continue;
        ++(format.is_leaf(entry, target.tables[t].level) ? leaves : below);
      }
    benchmark::DoNotOptimize(leaves + below);
  }
  state.counters["tables"] = static_cast<double>(tables.size());
}

void levels(benchmark::State& state, const Target& target) {
  for (auto _ : state) {
    kvm::LevelCounter counter(target.kvm, [](const Error&) {});
    for (const kvm::TreeStart& start : target.starts)
      benchmark::DoNotOptimize(counter.count(start));
  }
  state.counters["tables"] = static_cast<double>(target.tables.size());
}

// What `pages` reads of every page, without rendering.
void pages(benchmark::State& state, const Target& target) {
  std::uint64_t count = 0;
  for (auto _ : state) {
    count = 0;
    for (const kvm::Vm& vm : target.vms)
      target.kvm.each_active_page(vm, [&](VirtAddr address) {
        const kvm::ShadowPage page = target.kvm.shadow_page(address);
        benchmark::DoNotOptimize(target.kvm.parent_count(page));
        ++count;
      });
  }
  state.counters["pages"] = static_cast<double>(count);
}

void counts(benchmark::State& state, const Target& target) {
  for (auto _ : state)
    for (const kvm::Vm& vm : target.vms)
      benchmark::DoNotOptimize(kvm::count_mmu(target.kvm, vm, [](const Error&) {}).shape);
}

// The rules that drgn_walk.py has, too.
void audit(benchmark::State& state, const Target& target) {
  std::vector<const kvm::audit::Rule*> rules;
  for (const char* name : {"hash", "page-private", "unsync-children"})
    rules.push_back(kvm::audit::find_rule(name));
  for (auto _ : state)
    for (const kvm::Vm& vm : target.vms)
      benchmark::DoNotOptimize(
          kvm::audit::run(target.kvm, vm, rules, [](const Error&) {}).findings.all().size());
}

// The tables of a kdump, as libkdumpfile gives them, and as `levels` walks them. The file is
// opened anew each time, so that nobody's cache is warm; opening and closing are not timed.
void kdump_reads(benchmark::State& state, const std::string& path, const Target& target) {
  for (auto _ : state) {
    state.PauseTiming();
    std::unique_ptr<Dump> dump = open_dump(path);
    benchmark::DoNotOptimize(dump->memory().u64(target.tables.front().at));
    state.ResumeTiming();
    for (const Target::TableAt& table : target.tables)
      benchmark::DoNotOptimize(read_table(dump->memory(), table.at));
    state.PauseTiming();
    dump.reset();
    state.ResumeTiming();
  }
}

void kdump_levels(benchmark::State& state, const std::string& path, const DebugFinder& finder,
                  const Target& target) {
  for (auto _ : state) {
    state.PauseTiming();
    auto kdump = std::make_unique<Target>(path, finder, false);
    state.ResumeTiming();
    kvm::LevelCounter counter(kdump->kvm, [](const Error&) {});
    for (const kvm::TreeStart& start : target.starts)
      benchmark::DoNotOptimize(counter.count(start));
    state.PauseTiming();
    kdump.reset();
    state.ResumeTiming();
  }
}

}  // namespace
}  // namespace kvmscope

int main(int argc, char** argv) {
  using namespace kvmscope;
  benchmark::Initialize(&argc, argv);
  if (argc != 4) return 2;
  const std::unique_ptr<DebugFinder> finder = make_debug_finder({argv[3]});
  const Target elf(argv[1], *finder);
  const MappedFile file(argv[1]);
  const std::string kdump = argv[2];
  const auto unit = benchmark::kMicrosecond;
  benchmark::RegisterBenchmark("plain_loop", plain_loop, std::cref(file), std::cref(elf))
      ->Unit(unit);
  benchmark::RegisterBenchmark("levels", levels, std::cref(elf))->Unit(unit);
  benchmark::RegisterBenchmark("pages", pages, std::cref(elf))->Unit(unit);
  benchmark::RegisterBenchmark("counts", counts, std::cref(elf))->Unit(unit);
  benchmark::RegisterBenchmark("audit", audit, std::cref(elf))->Unit(unit);
  benchmark::RegisterBenchmark("kdump_reads", kdump_reads, kdump, std::cref(elf))
      ->Unit(unit)
      ->Iterations(10);
  benchmark::RegisterBenchmark("kdump_levels", kdump_levels, kdump, std::cref(*finder),
                               std::cref(elf))
      ->Unit(unit)
      ->Iterations(10);
  benchmark::RunSpecifiedBenchmarks();
}
