// One VM with a bit of everything, for golden tests of the commands.
#pragma once

#include "tests/support/fake_kernel_run.hpp"

namespace kvmscope {

// VM 0, 95-4, shadow paging, one vCPU. It runs on a root of its own (CR3 0x11e000); prev0
// (0x10f000) is the larger tree, and prev1 is empty:
//
//   prev0 L4[1] → L3[0] → L2[0] → L1 `synced`, which maps [1] writable and [2] not
//                          L2[1] → L1 `unsync`, which maps [0]
//                          L2[2] a 2 MiB page
//         L4[2] `three2` → L3[0] `two2` → L2[0] → L1 `last`, unsync and empty
struct FakeScenario {
  explicit FakeScenario(FakeKernelOptions options = {}) : kernel(options) {
    vm.add_slot({.id = 0, .base = 0, .npages = 0xa0, .hva = 0x7f0000000000, .flags = 1});
    vm.add_slot({.id = 508, .base = 0xfee00, .npages = 1, .hva = 0x7f1000000000, .flags = 0x10002});
    vcpu.run_on(current, 0x11e000);
    vcpu.keep(0, root, 0x10f000);
    vcpu.forget(1, 0x100000);
    vm.link(root, 1, three);
    vm.link(three, 0, two);
    vm.link(two, 0, synced);
    vm.link(two, 1, unsync);
    vm.map(two, 2, {0x600}, {.gfn = 0x200});
    vm.map(synced, 1, {0xaa1a}, {.gfn = 0x21});
    vm.map(synced, 2, {0xaa17}, {.writable = false, .mmu_writable = false, .gfn = 0x30});
    vm.map(unsync, 0, {0xaa18}, {.dirty = true, .gfn = 0x31});
    vm.link(root, 2, three2);
    vm.link(three2, 0, two2);
    vm.link(two2, 0, last);
  }

  // `text` with addresses in place of "{root}" (a struct kvm_mmu_page), "{root.spt}", "{root.hpa}"
  // and "{root.spte}" (an entry that points to its table); the same for the other pages. "{vm}" and
  // "{vcpu}" are structs, too.
  std::string named(std::string text) const {
    const auto put = [&](const std::string& word, std::uint64_t value) {
      const std::string wanted = "{" + word + "}";
      for (std::size_t at = 0; (at = text.find(wanted, at)) != std::string::npos;)
        text.replace(at, wanted.size(), hex(value));
    };
    put("vm", vm.address().value);
    put("vcpu", vcpu.address().value);
    const std::pair<const char*, const FakePage&> pages[] = {
        {"current", current}, {"root", root}, {"three", three},   {"two", two},  {"synced", synced},
        {"unsync", unsync},   {"last", last}, {"three2", three2}, {"two2", two2}};
    for (const auto& [name, page] : pages) {
      put(name, page.address.value);
      put(std::string(name) + ".spt", page.table.value);
      put(std::string(name) + ".hpa", page.hpa().value);
      put(std::string(name) + ".spte", kernel.table_entry(page.hpa()));
    }
    return text;
  }

  FakeKernel kernel;
  FakeVm& vm = kernel.add_vm();
  FakeVcpu& vcpu = vm.add_vcpu(0);
  FakePage current = vm.add_page({.level = 4, .gfn = 0x11e});
  FakePage root = vm.add_page({.level = 4, .gfn = 0x10f});
  FakePage three = vm.add_page({.level = 3, .gfn = 0x116});
  FakePage two = vm.add_page({.level = 2, .gfn = 0x117});
  FakePage synced = vm.add_page({.level = 1, .gfn = 0x118});
  FakePage unsync = vm.add_page({.level = 1, .gfn = 0x119, .unsync = true});
  FakePage last = vm.add_page({.level = 1, .gfn = 0x11d, .unsync = true});
  FakePage three2 = vm.add_page({.level = 3, .gfn = 0x11b});
  FakePage two2 = vm.add_page({.level = 2, .gfn = 0x11c});
};

}  // namespace kvmscope
