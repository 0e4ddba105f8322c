#include "core/kvm/mmu_counts.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <vector>

#include "core/base/address_map.hpp"
#include "core/base/interrupt.hpp"
#include "core/kvm/page_hash.hpp"
#include "core/kvm/rmap.hpp"
#include "core/kvm/special_tables.hpp"
#include "core/object/containers.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t most_tdp_pages = 100'000'000;
constexpr std::uint64_t most_reserved = 1'000'000;
constexpr std::size_t chains_at_a_time = 16;
constexpr unsigned steps_expected = 12;  // chains are longer only where the hash serves badly

class Counter {
 public:
  Counter(const Kvm& kvm, const Vm& vm, const std::function<void(const Error&)>& lost)
      : kvm_(kvm), vm_(vm), lost_(lost) {}

  MmuCounts run() {
    const Field& used = kvm_.layout().vm().used_pages;
    counted_.reserve(std::min(vm_.fields.find(used).value_or(0), most_reserved));
    attempt([&] { kvm_.each_active_page(vm_, [&](VirtAddr page) { count_active(page); }); });
    attempt([&] { count_hash(); });
    attempt([&] { count_tdp(); });
    attempt([&] { count_slots(); });
    const std::uint64_t descriptors = counts_.parent_descriptors + counts_.rmap_descriptors;
    counts_.memory.descriptors = descriptors * kvm_.layout().pte_list().size();
    return std::move(counts_);
  }

 private:
  template <typename Body>
  bool attempt(Body&& body) {
    const std::optional<Error> error = lost_in(body);
    if (error) lost_(*error);
    return !error;
  }

  void mix(std::uint64_t number) {
    counts_.shape = (counts_.shape ^ number) * 0x9e3779b97f4a7c15 + 1;
    counts_.shape ^= counts_.shape >> 32;
  }

  void count_active(VirtAddr address) {
    check_interrupt();
    counted_.expect(address.value);
    mix(address.value);
    if (!attempt([&] { count_page(kvm_.shadow_page(address)); })) ++counts_.unreadable;
  }

  void count_page(const ShadowPage& page) {
    RoleCount& count = counts_.roles[{page.tdp_mmu, page.role.word}];
    count.role = page.role;
    count.tdp_mmu = page.tdp_mmu;
    ++count.pages;
    count.unsync += page.unsync;
    count.obsolete += is_obsolete(page);
    mix(page.role.word);
    count_memory(page);
    if (!page.tdp_mmu) counted_.insert(page.address.value, page.hash_link);
    if (page.role.invalid && page.root_count > 0 && !page.tdp_mmu) ++counts_.invalid_roots;
  }

  bool is_obsolete(const ShadowPage& page) const {
    return !page.tdp_mmu && valid_gen_ && page.valid_gen != static_cast<std::uint8_t>(*valid_gen_);
  }

  void count_memory(const ShadowPage& page) {
    MmuMemory& memory = counts_.memory;
    (page.tdp_mmu ? memory.tdp_tables : memory.shadow_tables) += page_size;
    memory.headers += kvm_.layout().page().size();
    if (page.gfn_table.value != 0) memory.gfn_tables += page_size;
    if (!page.tdp_mmu)
      attempt([&] { counts_.parent_descriptors += each_parent_spte(kvm_, page, {}).descriptors; });
  }

  // ---- the page hash

  void count_hash() {
    const PageHash hash = page_hash(kvm_, vm_);
    counts_.hash.buckets = hash.buckets;
    std::vector<std::uint64_t> heads(hash.buckets);
    if (hash.heads.value != 0)
      kvm_.memory().peek(hash.heads, std::as_writable_bytes(std::span(heads)));
    for (std::size_t i = 0; i < heads.size(); ++i) {
      if (i % chains_at_a_time == 0)
        expect_chains(
            std::span(heads).subspan(i).first(std::min(chains_at_a_time, heads.size() - i)));
      std::uint64_t length = 0;
      if (heads[i] != 0) attempt([&] { count_bucket(hash.heads + 8 * i, length); });
      ++counts_.hash.lengths[length];
      mix(length);
    }
  }

  // A chain leads all over counted_, and each step waits for memory: to follow some chains side by
  // side before one is walked hides most of that.
  void expect_chains(std::span<const std::uint64_t> heads) const {
    const std::uint64_t link = kvm_.layout().page().hash_link.offset;
    std::array<std::uint64_t, chains_at_a_time> nodes{};
    std::copy(heads.begin(), heads.end(), nodes.begin());
    for (unsigned step = 0; step < steps_expected; ++step)
      for (std::uint64_t& node : nodes) {
        const HashLinks* links = node != 0 ? counted_.find(node - link) : nullptr;
        if (links != nullptr)
          __builtin_prefetch(links);  // else the compiler sees no use in all this
        node = links != nullptr ? links->next : 0;
      }
  }

  void count_bucket(VirtAddr head, std::uint64_t& length) {
    const PageFields& fields = kvm_.layout().page();
    with_context([&] { return fmt::format("walking mmu_page_hash of VM {}", vm_.index); },
                 [&] {
                   walk_hlist(hash_memory_, head, [&](VirtAddr node) {
                     ++length;
                     const VirtAddr page = node - fields.hash_link.offset;
                     if (counted_.find(page.value) == nullptr)
                       attempt([&] { count_hashed(kvm_.shadow_page(page)); });
                   });
                 });
  }

  // Roots that were zapped are taken off the active list, since v5.10, but stay in the hash.
  void count_hashed(const ShadowPage& page) {
    if (!page.role.invalid) return;
    if (page.root_count > 0) ++counts_.invalid_roots;
    count_memory(page);
    counted_.insert(page.address.value, page.hash_link);
  }

  // ---- the TDP MMU

  void count_tdp() {
    for (const VirtAddr address : kvm_.tdp_roots(vm_))
      attempt([&] {
        const ShadowPage root = kvm_.shadow_page(address);
        if (root.role.invalid) ++counts_.invalid_tdp_roots;
        count_tdp_page(root);
      });
  }

  void count_tdp_page(const ShadowPage& page) {
    check_interrupt();
    // A page has one parent: one that is met again shows that the tables are corrupt.
    if (!tdp_.insert(page.address).second)
      throw_error(ErrorKind::corrupt, "TDP MMU page {:#x} has two parents", page.address.value);
    if (tdp_.size() > most_tdp_pages) throw Error(ErrorKind::corrupt, "too many TDP MMU pages");
    mix(page.address.value);
    count_page(page);
    if (page.level() == 1) return;
    Table table;
    const bool read =
        attempt([&] { kvm_.memory().peek(page.spt, std::as_writable_bytes(std::span(table))); });
    if (!read) return;
    for (const std::uint64_t entry : table)
      if (format_.kind(entry, page.level()) == SpteKind::table)
        attempt([&] { count_tdp_child(page, format_.target(entry)); });
  }

  void count_tdp_child(const ShadowPage& page, PhysAddr table) {
    const std::optional<ShadowPage> child = kvm_.page_of_table(table);
    if (!child || child->level() + 1 != page.level())
      throw_error(ErrorKind::corrupt,
                  "an entry of TDP MMU page {:#x} leads to {:#x}, no table of "
                  "level {}",
                  page.address.value, table.value, page.level() - 1);
    count_tdp_page(*child);
  }

  // ---- memslots

  void count_slots() {
    for (const Memslot& slot : kvm_.memslots(vm_))
      attempt([&] {
        const MemslotArrays arrays = memslot_arrays(kvm_, slot);
        MmuMemory& memory = counts_.memory;
        for (unsigned level = 1; level <= MemslotArrays::deepest; ++level) {
          const std::uint64_t elements = slot_elements(slot, level);
          if (arrays.rmap[level].value != 0) memory.rmaps += 8 * elements;
          if (arrays.lpage_info[level].value != 0)
            memory.lpage_info += kvm_.layout().lpage_info().size() * elements;
        }
        memory.gfn_tracks += 2 * arrays.gfn_tracks * slot.npages;
        each_rmap_head(
            kvm_, slot, arrays,
            [&](const RmapHead&, std::uint64_t value) {
              mix(value);
              attempt([&] { count_rmap(value); });
            },
            lost_);
      });
  }

  void count_rmap(std::uint64_t value) {
    const PteListSize size = walk_pte_list(kvm_, value, {});
    counts_.rmap_entries += size.entries;
    counts_.rmap_descriptors += size.descriptors;
  }

  const Kvm& kvm_;
  const Vm& vm_;
  const std::function<void(const Error&)>& lost_;
  const SpteFormat format_ = kvm_.spte_format();
  const std::optional<std::uint64_t> valid_gen_ = vm_.fields.find(kvm_.layout().vm().valid_gen);
  MmuCounts counts_;
  AddressMap<HashLinks> counted_;  // shadow pages: each is read once
  const HashMemory hash_memory_{kvm_.memory(), kvm_.layout().page(),
                                [this](VirtAddr page) { return counted_.find(page.value); }};
  std::set<VirtAddr> tdp_;
};

}  // namespace

MmuCounts count_mmu(const Kvm& kvm, const Vm& vm, const std::function<void(const Error&)>& lost) {
  return Counter(kvm, vm, lost).run();
}

}  // namespace kvmscope::kvm
