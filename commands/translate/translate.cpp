// translate: where a guest's address lies in the host, by the guest's page tables, its owner's and
// KVM's.

#include "commands/catalogue.hpp"
#include "commands/guest_arguments.hpp"
#include "commands/root_names.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "commands/translate/translation.hpp"
#include "core/kvm/guest_memory.hpp"

namespace kvmscope {
namespace {

// An address space of its own for system management mode may hold a physical address, too.
void show_physical(const kvm::Kvm& kvm, const kvm::Vm& vm, GuestPhysAddr gpa,
                   const kvm::RootNames& names, RowSink& rows) {
  bool found = false;
  for (const kvm::Memslot& slot : kvm.memslots(vm)) {
    if (!holds(slot, to_gfn(gpa))) continue;
    found = true;
    kvm::RootPaths paths(kvm, names);
    Translation item{.kvm = kvm, .vm = vm, .paths = paths, .gpa = gpa};
    follow(item, slot);
    rows.add(translation_record(item));
  }
  if (!found)
    rows.note(
        fmt::format("gpa {:#x} is in no memslot of VM {} (see `slots {}`): an access to it is MMIO",
                    gpa.value, vm.index, vm.index));
}

void show_virtual(const kvm::Kvm& kvm, const kvm::Vm& vm, std::uint64_t gva, const Arguments& args,
                  const kvm::RootNames& names, RowSink& rows) {
  const kvm::Vcpu vcpu = find_vcpu(kvm, vm, args);
  const kvm::GuestPaging paging = kvm::guest_paging(kvm, vcpu, args.number("--cr3"));
  const kvm::GuestMemory memory(kvm, vm, paging.as_id);
  kvm::RootPaths paths(kvm, names);
  Translation item{.kvm = kvm, .vm = vm, .paths = paths};
  item.guest = VirtualPart{gva, paging.registers, kvm::walk_guest(memory, paging, gva)};
  const VirtualPart& guest = *item.guest;
  item.gpa = guest.walk.gpa;
  const bool canonical = guest.walk.state != kvm::GuestState::noncanonical;
  item.root.emplace().vcpu = vcpu.fields.get(kvm.layout().vcpu().vcpu_id);
  if (!args.has("--cr3"))
    item.root =
        walk_current_root(kvm, vcpu, canonical ? std::optional(gva) : std::nullopt, item.gpa);
  if (const kvm::Memslot* slot = item.gpa ? memory.place(*item.gpa).slot : nullptr)
    follow(item, *slot);
  rows.add(translation_record(item));
}

void translate_address(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  check_guest_virtual_options(args);
  const kvm::Vm vm = find_vm(kvm, *args.text("VM"), rows);
  const GuestPhysAddr address = parse_gpa(*args.text("ADDRESS"));
  const kvm::RootNames names = root_names(kvm, {vm}, rows);
  steadily_by_vm(
      kvm, rows, {vm}, [](const kvm::Vm&) { return std::string("the address is not translated"); },
      [&](const kvm::Vm& now) {
        if (args.has("--gva"))
          show_virtual(kvm, now, address.value, args, names, rows);
        else
          show_physical(kvm, now, address, names, rows);
      });
}

}  // namespace

Command translate() {
  return {
      .names = {"translate"},
      .summary = "say where a guest's address lies in the host, and whether KVM agrees",
      .details =
          "By its memslot and the page tables of the process that owns the VM, beside every SPTE\n"
          "that maps it. Right after the host took a page away KVM may still be about to follow.\n"
          "With --gva through the page tables of the guest first, beside the walk of the root\n"
          "that the vCPU runs on.",
      .arguments = {one_vm_argument(),
                    {"ADDRESS", ArgumentKind::address,
                     "a guest physical address: a number, gpa:N or gfn:N"}},
      .options = guest_virtual_options(),
      .columns = translation_columns(),
      .view = {.block = translation_text},
      .keys = {"vm", "as_id"},
      .examples = {"translate 0 0x144000", "translate 0 gfn:0x144 -f json",
                   "translate 0 --gva --vcpu 3 0x8000201abc"},
      .run = translate_address,
  };
}

}  // namespace kvmscope
