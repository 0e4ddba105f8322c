// The lists of a VM, the shadow pages on them, its roots and memslots.

#include <bit>

#include "core/base/interrupt.hpp"
#include "core/kvm/audit/model.hpp"
#include "core/kvm/audit/rule.hpp"
#include "core/kvm/memslots.hpp"
#include "core/kvm/page_hash.hpp"
#include "core/kvm/special_tables.hpp"
#include "core/object/containers.hpp"

namespace kvmscope::kvm::audit {
namespace {

constexpr std::uint64_t most_pages = 100'000'000;
constexpr std::uint64_t most_slot_pages = 1ULL << 31;  // KVM_MEM_MAX_NR_PAGES and one
constexpr unsigned largest_leaf = 3;                   // PG_LEVEL_1G

// Those of a role that kvm_mmu_child_role() sets anew.
std::uint32_t derived_bits(const RoleFields& fields) {
  std::uint64_t bits = 0;
  for (const Field* field :
       {&fields.level, &fields.has_4_byte_gpte, &fields.has_8_byte_gpte, &fields.quadrant,
        &fields.direct, &fields.access, &fields.invalid, &fields.passthrough})
    if (field->present())
      bits |= low_bits(static_cast<unsigned>(field->bit_size))
              << (8 * field->offset + field->bit_offset);
  return static_cast<std::uint32_t>(bits);
}

}  // namespace

Model::Model(const Kvm& kvm, const Vm& vm, Lost lost)
    : kvm_(kvm),
      vm_(vm),
      lost_(std::move(lost)),
      counters_(kvm.layout().vm_audit(), kvm.memory(), vm.address),
      format_(kvm.spte_format()),
      mmio_(read_mmio_format(kvm.kernel(), format_)),
      uses_tdp_mmu_(kvm.uses_tdp_mmu(vm)),
      objects_(kvm.kernel()) {
  if (const auto value = vm.fields.find(kvm.layout().vm().shadow_mmio_value))
    format_.mmio_value = *value;
  objects_.add(vm.address, kvm.layout().vm().size());
  deepest_leaf_ = largest_leaf;
  if (const std::optional<Symbol> level = kvm.variable("max_huge_page_level"))
    deepest_leaf_ = kvm.memory().value<std::uint32_t>({level->address});
  inherited_role_ = ~derived_bits(kvm.layout().role());
}

void Model::note_lost(const Error& error) const {
  lost_parts_ |= part_;
  lost_(error);
}

// ---- lists

void Model::note_list_fault(VirtAddr head, std::string_view list, const Error& error) {
  if (error.kind() != ErrorKind::corrupt) return note_lost(error);
  list_faults_.push_back({head, list, error.what()});
}

void Model::read_list(std::string_view list, const Field& head, const Field& link,
                      const std::function<void(Listing&, VirtAddr)>& visit) {
  if (!head.present() || !link.present()) return;
  const VirtAddr at = vm_.address + head.offset;
  const auto node = [&](VirtAddr place) {
    const VirtAddr page = place - link.offset;
    // Its header lies beside the link that was just read.
    Node* known = add_node(page);
    Listing none;
    visit(known != nullptr ? known->listing : none, page);
  };
  const std::optional<Error> broken =
      lost_in([&] { walk_list_from_both_ends(objects_, at, node, most_pages); });
  if (broken) note_list_fault(at, list, *broken);
}

void Model::read_lists() {
  part_ = part::lists;
  const VmFields& of_vm = kvm_.layout().vm();
  const PageFields& page = kvm_.layout().page();
  read_list("active_mmu_pages", of_vm.active_pages, page.link, [&](Listing& listing, VirtAddr) {
    ++listing.active;
    ++active_count_;
  });
  attempt([&] { read_hash(); });
  read_list("zapped_obsolete_pages", layout().zapped_pages, page.link,
            [](Listing& listing, VirtAddr) { listing.zapped = true; });
  if (uses_tdp_mmu_) {
    // While the TDP MMU is off their heads are not even initialised.
    read_list("tdp_mmu_roots", of_vm.tdp_mmu_roots, page.link,
              [](Listing& listing, VirtAddr) { listing.tdp_root = true; });
    read_list("tdp_mmu_pages", layout().tdp_pages, page.link,
              [](Listing& listing, VirtAddr) { listing.tdp_listed = true; });
  }
  for (const Field* list : {&layout().nx_pages, &layout().nx_tdp_pages})
    read_list(list->spelling.substr(list->spelling.find('.') + 1), *list, page.nx_link,
              [&](Listing&, VirtAddr address) { nx_pages_.push_back(address); });
}

void Model::read_hash() {
  const auto [at, buckets, outside] = page_hash(kvm_, vm_);
  if (at.value == 0 || !std::has_single_bit(buckets)) return;
  if (outside) objects_.add(at, 8 * buckets);
  buckets_ = buckets;
  Table heads;
  for (std::uint64_t start = 0; start < buckets; start += heads.size()) {
    const std::uint64_t size = std::min<std::uint64_t>(heads.size(), buckets - start);
    kvm_.memory().peek(at + 8 * start, std::as_writable_bytes(std::span(heads).first(size)));
    for (std::uint64_t i = 0; i < size; ++i)
      if (heads[i] != 0) read_bucket(at + 8 * (start + i), start + i);
  }
}

void Model::read_bucket(VirtAddr head, std::uint64_t bucket) {
  const std::uint64_t link = kvm_.layout().page().hash_link.offset;
  const auto node = [&](VirtAddr place) {
    const VirtAddr page = place - link;
    Node* known = add_node(page);
    if (known == nullptr) return;
    ++known->listing.hashed;
    known->listing.bucket = bucket;
  };
  const std::optional<Error> broken =
      lost_in([&] { walk_hlist(hash_memory_, head, node, most_pages); });
  if (broken) note_list_fault(head, "mmu_page_hash", *broken);
}

Node* Model::add_node(VirtAddr address) {
  check_interrupt();
  if (const Known* known = by_address_.find(address.value)) return known->node;
  if (unreadable_.contains(address.value)) return nullptr;
  Node& added = nodes_.emplace_back();
  const std::optional<Error> error = lost_in([&] { added.page = kvm_.shadow_page(address); });
  if (error) {
    nodes_.pop_back();
    unreadable_.insert(address.value);
    if (error->kind() == ErrorKind::corrupt)
      bad_headers_.push_back({address, error->message()});
    else
      note_lost(*error);
    return nullptr;
  }
  by_address_.insert(address.value, {&added, added.page.hash_link});
  if (has_tables_) add_table(added);
  return &added;
}

void Model::add_table(Node& node) {
  // Of two with the same table page_private() knows which is right.
  const auto [owner, fresh] = by_table_.insert(node.page.spt.value, &node);
  const std::optional<PhysAddr> table = kvm_.kernel().direct_phys(node.page.spt);
  if (!fresh && table && if_readable([&] { return owner_of(*table); }) == node.page.address)
    *owner = &node;
}

void Model::index_tables() {
  if (has_tables_) return;
  has_tables_ = true;
  for (Node& node : nodes_) add_table(node);
}

// kvm_page_table_hashfn()
std::uint64_t Model::bucket_of(Gfn gfn) const {
  constexpr std::uint64_t golden_ratio = 0x61c8864680b583eb;  // GOLDEN_RATIO_64
  return buckets_ < 2 ? 0 : gfn.value * golden_ratio >> (64 - std::countr_zero(buckets_));
}

const Node* Model::node_at(VirtAddr sp) const {
  const Known* found = by_address_.find(sp.value);
  return found != nullptr ? found->node : nullptr;
}

const Node* Model::node_of_table(VirtAddr spt) const {
  Node* const* found = by_table_.find(spt.value);
  return found != nullptr ? *found : nullptr;
}

bool Model::obsolete(const ShadowPage& page) const {
  const Field& gen = kvm_.layout().vm().valid_gen;
  return !page.tdp_mmu && gen.present() &&
         page.valid_gen != static_cast<std::uint8_t>(vm_.fields.get(gen));
}

// ---- roots

void Model::read_roots() {
  part_ = part::roots;
  attempt([&] {
    for (std::uint64_t idx = 0; idx < kvm_.vcpu_count(vm_); ++idx)
      attempt([&] {
        vcpus_.push_back(kvm_.vcpu_at(vm_, idx));
        add_roots(vcpus_.back());
      });
  });
}

void Model::add_roots(const Vcpu& vcpu) {
  for (Root& root : kvm_.roots(vcpu)) {
    if (root.lost && root.lost->kind() != ErrorKind::corrupt) note_lost(*root.lost);
    // Entries of PAE tables are found again from the table that holds them.
    if (root.valid && !root.pae && root.special) add_special_references(root.hpa, root.level);
    if (root.valid && !root.pae && root.page) {
      ++references_[root.page->address.value];
      // One that no list has is looked at all the same.
      add_node(root.page->address);
    }
    roots_.push_back(std::move(root));
  }
}

void Model::add_special_references(PhysAddr table, unsigned level) {
  attempt([&] {
    const unsigned entries = level == pae_level ? pae_entries : 1;
    for (unsigned i = 0; i < entries; ++i) {
      const std::uint64_t entry =
          kvm_.kernel().physical().u64(PhysAddr{table.value + std::uint64_t{8} * i});
      if (special_kind(entry) != SpteKind::table) continue;
      const PhysAddr below = format_.target(entry);
      if (level > pae_level)
        add_special_references(below, level - 1);
      else
        add_reference(below);
    }
  });
}

void Model::add_reference(PhysAddr table) {
  if (const std::optional<ShadowPage> page = kvm_.page_of_table(table))
    ++references_[page->address.value];
}

// ---- memslots

void Model::read_slots() {
  part_ = part::slots;
  const Field& sets = kvm_.layout().vm().memslots;
  const MemslotsFields& fields = kvm_.layout().memslots();
  for (unsigned as_id = 0; as_id < sets.count(); ++as_id)
    attempt([&] {
      const VirtAddr set{vm_.fields.get(sets, as_id)};
      if (set.value == 0) return;
      generations_.resize(as_id + 1);
      generations_[as_id] = StructCopy(fields, kvm_.memory(), set).get(fields.generation);
    });
  std::vector<Memslot> found;
  const std::optional<Error> broken = lost_in([&] { found = kvm_.memslots(vm_); });
  slots_known_ = !broken;
  if (broken && broken->kind() == ErrorKind::corrupt)
    slot_faults_.emplace_back(broken->what());
  else if (broken)
    note_lost(*broken);
  for (const Memslot& slot : found) read_slot(slot);
}

void Model::read_slot(const Memslot& slot) {
  SlotArrays& added = slots_.emplace_back();
  added.slot = slot;
  // Else its arrays would be read for a long time; a rule looks at the number.
  if (slot.npages >= most_slot_pages) return;
  attempt([&] { added.arrays = memslot_arrays(kvm_, slot); });
  for (unsigned level = 2; level <= MemslotArrays::deepest; ++level) {
    if (added.arrays.lpage_info[level].value == 0) continue;
    attempt([&] {
      std::vector<std::uint32_t> counts(slot_elements(slot, level));
      read_disallow_lpage(kvm_, added.arrays.lpage_info[level], 0, counts);
      added.disallow_lpage[level] = std::move(counts);
    });
  }
}

std::optional<std::uint64_t> Model::generation(unsigned as_id) const {
  return as_id < generations_.size() ? std::optional(generations_[as_id]) : std::nullopt;
}

const SlotArrays* Model::slot_of(unsigned as_id, Gfn gfn) const {
  const auto has = [&](const SlotArrays& slot) {
    return slot.slot.as_id == as_id && holds(slot.slot, gfn);
  };
  if (last_slot_ != nullptr && has(*last_slot_)) return last_slot_;
  for (const SlotArrays& slot : slots_)
    if (has(slot)) return last_slot_ = &slot;
  return nullptr;
}

// ---- whether it stands still

std::string Model::in_motion() const {
  constexpr std::uint64_t write_locked = 0xff;  // the low byte of qrwlock.cnts, of qspinlock.val
  const std::optional<std::uint64_t> lock = counters_.find(layout().mmu_lock);
  const bool rwlock = layout().mmu_lock.spelling.ends_with("cnts.counter");
  if (lock && (rwlock ? (*lock & write_locked) == write_locked : (*lock & write_locked) != 0))
    return "mmu_lock is held";
  if (vm_.fields.get(kvm_.layout().vm().invalidate_in_progress) != 0)
    return "an MMU notifier is at work";
  for (const std::uint64_t generation : generations_)
    if (generation >> 63 != 0) return "memslots are being changed";
  return "";
}

bool Model::lock_held_for_reading() const {
  constexpr unsigned reader_shift = 9;  // _QR_SHIFT
  const std::optional<std::uint64_t> lock = counters_.find(layout().mmu_lock);
  return lock && layout().mmu_lock.spelling.ends_with("cnts.counter") && *lock >> reader_shift != 0;
}

}  // namespace kvmscope::kvm::audit
