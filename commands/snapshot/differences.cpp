#include "commands/snapshot/differences.hpp"

#include <array>
#include <map>
#include <utility>

#include "commands/snapshot/difference.hpp"
#include "core/base/error.hpp"

namespace kvmscope::snapshots {
namespace {

// A part of a VM that is compared where both snapshots have it.
struct Part {
  std::string_view section;  // that must be complete
  bool (State::*present)() const;
  void (*compare)(const VmPair& vm);
};
constexpr std::array<Part, 5> parts = {{{"vcpus", nullptr, compare_vcpus},
                                        {"roots", nullptr, compare_roots},
                                        {"page_counts", nullptr, compare_page_counts},
                                        {"pages", &State::has_pages, compare_pages},
                                        {"trees", &State::has_trees, compare_ranges}}};

// Where pages are listed, they are what counts come from.
bool lacks(const VmState& vm, std::string_view section) {
  const bool counts_too = section == "page_counts" && vm.incomplete.contains("pages");
  return counts_too || vm.incomplete.contains(std::string(section));
}

void compare_vm(const State& a, const State& b, const VmPair& vm) {
  for (const Part& part : parts) {
    if (part.present != nullptr && (!(a.*part.present)() || !(b.*part.present)())) continue;
    const bool first = lacks(vm.before, part.section);
    if (first || lacks(vm.after, part.section))
      vm.sink.missing(fmt::format("{} of VM {} are not compared: {} is incomplete there",
                                  part.section, vm.before.id, first ? a.name : b.name));
    else
      part.compare(vm);
  }
}

void check_hosts(const State& a, const State& b) {
  if (!a.host.empty() && !b.host.empty() && a.host != b.host)
    throw_error(ErrorKind::usage,
                "{} is of the host '{}' and {} of '{}': the same id is another VM there", a.name,
                a.host, b.name, b.host);
}

// A VM before and after; none: it is not there.
using VmPairs = std::map<std::string, std::pair<const VmState*, const VmState*>>;

// Under another key is the same VM when its id was lost in one snapshot.
void pair_by_address(VmPairs& vms) {
  std::map<std::uint64_t, const VmState**> unpaired;  // that are only in the newer one
  for (auto& [key, both] : vms)
    if (both.first == nullptr) unpaired.emplace(both.second->address, &both.second);
  for (auto& [key, both] : vms) {
    auto& [old, now] = both;
    if (old == nullptr || now != nullptr) continue;
    const auto found = unpaired.find(old->address);
    if (found == unpaired.end() || (old->named && (*found->second)->named)) continue;
    now = std::exchange(*found->second, nullptr);
    unpaired.erase(found);
  }
}

}  // namespace

const std::vector<Column>& difference_columns() {
  using K = ColumnKind;
  static const std::vector<Column> all = {
      {"vm", K::text, "id of the VM"},
      {"subject", K::text, "vm, vcpu, root, tables, page or range"},
      {"name", K::text, "which: vCPU, mmu, tree; else null"},
      {"change", K::text, "what became of it"},
      {"level", K::count, "of a root, page or leaf; of a range that is gone, the old one"},
      {"address", K::hex, "of a root's table, of a shadow page, first of a range"},
      {"last", K::hex, "of a range, inclusive"},
      {"gfn", K::hex, "guest frame of the table that a root or page shadows"},
      {"before", K::text, "slot, number, or how it was mapped"},
      {"after", K::text, "likewise"}};
  return all;
}

void VmPair::add(Difference difference) const {
  sink.add(
      {{before.id, std::string(difference.subject),
        difference.name.empty() ? Value{} : Value{std::move(difference.name)},
        std::string(difference.change), number_or_null(difference.level),
        hex_or_null(difference.address), hex_or_null(difference.last), hex_or_null(difference.gfn),
        std::move(difference.before), std::move(difference.after)}});
}

void find_differences(const State& before, const State& after, const DifferenceSink& sink) {
  check_hosts(before, after);
  for (const State* state : {&before, &after})
    if (state->incomplete)
      sink.missing(
          fmt::format("VMs may be missing in {}: some may seem to be gone or new", state->name));
  const auto vm_record = [&](const VmState& vm, std::string_view change) {
    VmPair{vm, vm, sink}.add(
        {.subject = "vm", .name = vm.comm, .change = change, .address = vm.address});
  };
  VmPairs vms;
  for (const auto& [key, vm] : before.vms) vms[key].first = &vm;
  for (const auto& [key, vm] : after.vms) vms[key].second = &vm;
  pair_by_address(vms);
  for (const auto& [key, both] : vms) {
    const auto& [old, now] = both;
    // An id is used again when the process is gone, a struct kvm rarely.
    const bool same = old != nullptr && now != nullptr && old->address == now->address;
    if (old != nullptr && !same) vm_record(*old, "gone");
    if (now != nullptr && !same) vm_record(*now, "appeared");
    if (same) compare_vm(before, after, {*old, *now, sink});
  }
}

}  // namespace kvmscope::snapshots
