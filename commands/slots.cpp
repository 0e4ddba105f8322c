// slots: the memslots of each VM, KVM's private ones too.

#include <array>

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"
#include "core/kvm/memslots.hpp"

namespace kvmscope {
namespace {

struct Flag {
  std::uint64_t mask;
  std::string_view word;
};
constexpr std::array<Flag, 4> flags = {{{kvm::slot_flag::dirty_log, "dirty_log"},
                                        {kvm::slot_flag::readonly, "readonly"},
                                        {kvm::slot_flag::guest_memfd, "guest_memfd"},
                                        {kvm::slot_flag::invalid, "invalid"}}};

Value flag_words(const kvm::Memslot& slot) {
  Words words;
  for (unsigned bit = 0; bit < 32; ++bit) {
    if ((slot.flags >> bit & 1) == 0) continue;
    const auto known = std::find_if(flags.begin(), flags.end(),
                                    [&](const Flag& flag) { return flag.mask == 1ULL << bit; });
    words.push_back(known != flags.end() ? std::string(known->word) : fmt::format("bit{}", bit));
  }
  return words;
}

const std::vector<FieldOf<kvm::Memslot>>& fields() {
  using K = ColumnKind;
  using Slot = const kvm::Memslot&;
  static const std::vector<FieldOf<kvm::Memslot>> all = {
      {{"vm", K::count, "number of the VM"}, [](Slot s) -> Value { return std::uint64_t{s.vm}; }},
      {{"as_id", K::count, "address space: 0 normal, 1 SMM"},
       [](Slot s) -> Value { return std::uint64_t{s.as_id}; }},
      {{"id", K::number, "as user space numbers it; private slots come after"},
       [](Slot s) -> Value { return s.id; }},
      {{"base_gfn", K::hex, "first guest frame"}, [](Slot s) -> Value { return Hex(s.base); }},
      {{"end_gfn", K::hex, "guest frame after the last"},
       [](Slot s) -> Value { return Hex(s.base + s.npages); }},
      {{"npages", K::count, "size in 4 KiB pages"}, [](Slot s) -> Value { return s.npages; }},
      {{"hva", K::hex, "where it lies in the owner's memory"},
       [](Slot s) -> Value { return Hex(s.hva); }},
      {{"flags", K::words, "dirty_log, readonly, guest_memfd, invalid"}, flag_words},
      {{"memslot", K::hex, "address of its struct kvm_memory_slot", {}, true},
       [](Slot s) -> Value { return Hex(s.address); }},
  };
  return all;
}

void list_slots(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const std::vector<kvm::Vm> vms = selected_vms(kvm, args, rows);
  steadily_by_vm(
      kvm, rows, vms,
      [](const kvm::Vm& vm) { return fmt::format("memslots of VM {} are left out", vm.index); },
      [&](const kvm::Vm& vm) {
        for (const kvm::Memslot& slot : kvm.memslots(vm)) rows.add(make_record(fields(), slot));
      });
}

}  // namespace

Command slots() {
  return {
      .names = {"slots"},
      .summary = "list the memslots of each VM, KVM's private ones too",
      .arguments = {vm_argument()},
      .columns = columns_of(fields()),
      .view = {.table = {number_column("VM", "vm"), number_column("AS", "as_id"),
                         number_column("ID", "id"), column("BASE GFN", "base_gfn"),
                         column("END GFN", "end_gfn"), number_column("PAGES", "npages"),
                         column("HVA", "hva"), column("FLAGS", "flags")}},
      .keys = {"vm", "as_id", "id"},
      .examples = {"slots 0", "slots -f csv"},
      .run = list_slots,
  };
}

}  // namespace kvmscope
