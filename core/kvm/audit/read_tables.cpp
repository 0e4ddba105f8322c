// The tables of a VM's shadow pages, what lists their entries, and the rmaps.

#include "core/base/interrupt.hpp"
#include "core/kvm/audit/chain.hpp"
#include "core/kvm/audit/model.hpp"
#include "core/kvm/audit/rule.hpp"

namespace kvmscope::kvm::audit {
namespace {

constexpr unsigned highest_leaf = 3;

// The frames that the leaves of one page map (kvm_mmu_page_get_gfn()).
class LeafFrames {
 public:
  LeafFrames(const Model& model, const ShadowPage& page) : model_(model), page_(page) {}

  // None: the table that says so cannot be read.
  std::optional<Gfn> at(unsigned index) {
    if (page_.role.passthrough) return page_.gfn;
    if (page_.gfn_table.value == 0 || page_.role.direct)
      return page_.gfn + (std::uint64_t{index} << (9 * (page_.level() - 1)));
    if (!read_) {
      read_ = true;
      known_ = model_.attempt([&] { table_ = read_table(model_.kvm().memory(), page_.gfn_table); });
    }
    if (!known_) return std::nullopt;
    return Gfn{page_.gfn_table_has_access ? table_[index] >> page_shift : table_[index]};
  }

 private:
  const Model& model_;
  const ShadowPage& page_;
  Table table_{};
  bool read_ = false;
  bool known_ = false;
};

}  // namespace

void Model::read_tables(const std::function<void(const TableEntry&)>& visit) {
  part_ = part::tables;
  index_tables();
  // More are found on the way: those of the TDP MMU, and those that no list has.
  for (std::size_t i = 0; i < nodes_.size(); ++i) read_table(nodes_[i], visit);
}

void Model::read_table(Node& node, const std::function<void(const TableEntry&)>& visit) {
  check_interrupt();
  const ShadowPage& page = node.page;
  // A rule of its own looks at that.
  if (!kvm_.kernel().direct_phys(page.spt) || !is_aligned(page.spt.value, page_size)) return;
  if (node_of_table(page.spt) != &node) return;
  Table table;
  if (!attempt([&] { table = kvmscope::read_table(kvm_.memory(), page.spt); })) return;
  LeafFrames frames(*this, page);
  for (unsigned i = 0; i < table.size(); ++i) {
    const std::uint64_t spte = table[i];
    if (format_.is_empty(spte)) continue;
    TableEntry entry{node, i, page.spt + std::uint64_t{8} * i, spte,
                     format_.kind(spte, page.level())};
    if (entry.kind == SpteKind::table) {
      Node* child = child_of(format_.target(spte), entry.child_lost);
      entry.child = child;
      if (child != nullptr) {
        ++child->ways;
        links_.push_back({entry.at, &node, child, static_cast<std::uint16_t>(i)});
      }
    } else if (entry.kind == SpteKind::leaf && page.level() <= highest_leaf) {
      const std::optional<Gfn> gfn = frames.at(i);
      if (!gfn) continue;
      entry.gfn = *gfn;
      leaves_.push_back({entry.at, spte, &node, *gfn, static_cast<std::uint16_t>(i)});
    }
    visit(entry);
  }
}

VirtAddr Model::owner_of(PhysAddr table) const {
  const PageStructFields& fields = kvm_.layout().page_struct();
  return {kvm_.memory().u64(kvm_.kernel().page_struct(to_pfn(table), fields.size()) +
                            fields.private_data.offset)};
}

Node* Model::child_of(PhysAddr table, bool& lost) {
  const VirtAddr spt = kvm_.kernel().direct_map(table);
  if (Node* const* known = by_table_.find(spt.value)) return *known;
  if (!kvm_.kernel().direct_phys(spt)) return nullptr;
  VirtAddr owner;
  lost = !attempt([&] { owner = owner_of(table); });
  if (lost || owner.value % 8 != 0 || !kvm_.kernel().direct_phys(owner)) return nullptr;
  Node* node = add_node(owner);
  lost = node == nullptr;
  return node != nullptr && node->page.spt == spt ? node : nullptr;
}

void Model::read_parents() {
  part_ = part::parents;
  const PteListFields& fields = kvm_.layout().pte_list();
  for (const Node& node : nodes_) {
    if (node.page.tdp_mmu || node.page.parent_ptes == 0) continue;
    attempt([&] {
      walk_chain(
          objects_, fields, node.page.parent_ptes,
          [&](VirtAddr spte) {
            parents_.push_back({spte, &node, {}});
          },
          [&](std::string text) {
            chain_faults_.push_back({&node, {}, std::move(text)});
          });
    });
  }
}

void Model::read_rmaps() {
  part_ = part::rmaps;
  const PteListFields& fields = kvm_.layout().pte_list();
  const auto chain = [&](const RmapHead& head, std::uint64_t value) {
    attempt([&] {
      walk_chain(
          objects_, fields, value,
          [&](VirtAddr spte) {
            rmaps_.push_back({spte, nullptr, head});
          },
          [&](std::string text) {
            chain_faults_.push_back({nullptr, head, std::move(text)});
          });
    });
  };
  for (const SlotArrays& slot : slots_) {
    if (slot.being_changed()) continue;
    each_rmap_head(kvm_, slot.slot, slot.arrays, chain,
                   [&](const Error& error) { note_lost(error); });
  }
}

}  // namespace kvmscope::kvm::audit
