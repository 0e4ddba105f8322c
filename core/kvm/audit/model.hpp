// What an audit reads of one VM: its lists, shadow pages, tables, roots and memslots, each once.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory_resource>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/address_map.hpp"
#include "core/base/error.hpp"
#include "core/base/huge_memory.hpp"
#include "core/kvm/audit/object_memory.hpp"
#include "core/kvm/kvm.hpp"
#include "core/kvm/memslots.hpp"
#include "core/kvm/mmio_spte.hpp"
#include "core/kvm/page_hash.hpp"
#include "core/kvm/rmap.hpp"

namespace kvmscope::kvm::audit {

// The lists on which a shadow page was met.
struct Listing {
  std::uint32_t active = 0;  // how often on active_mmu_pages
  std::uint32_t hashed = 0;  // how often in mmu_page_hash
  std::uint64_t bucket = 0;  // the last one
  bool zapped = false;       // on zapped_obsolete_pages
  bool tdp_root = false;     // on tdp_mmu_roots
  bool tdp_listed = false;   // on tdp_mmu_pages, where that is a list
};

// A shadow page.
struct Node {
  ShadowPage page;
  Listing listing;
  std::uint32_t ways = 0;  // entries that lead to it

  // Shadow pages of a guest's table that KVM keeps from being written or marks unsync
  // (sp_has_gptes()).
  bool has_gptes() const { return !page.tdp_mmu && !page.role.direct && !page.role.passthrough; }
};

// A header that could not be decoded.
struct BadHeader {
  VirtAddr address;
  std::string text;
};

// A present entry that leads to the table of a shadow page.
struct TableLink {
  VirtAddr at;
  Node* parent = nullptr;
  Node* child = nullptr;
  std::uint16_t index = 0;
};

// A present entry that maps a page.
struct Leaf {
  VirtAddr at;
  std::uint64_t spte = 0;
  const Node* node = nullptr;
  Gfn gfn;
  std::uint16_t index = 0;
};

// An entry that is not empty, as the one pass over the tables meets it.
struct TableEntry {
  const Node& node;
  unsigned index = 0;
  VirtAddr at;
  std::uint64_t spte = 0;
  SpteKind kind = SpteKind::nonpresent;
  const Node* child = nullptr;  // of a table entry; nullptr: no shadow page has its table there
  bool child_lost = false;      // or that cannot be read
  Gfn gfn = {};                 // of a leaf
};

// What is wrong with a chain of struct pte_list_desc.
struct ChainFault {
  const Node* child = nullptr;  // whose parent_ptes it is; nullptr: it is a rmap
  RmapHead head;                // of a rmap
  std::string text;
};

// An SPTE that something lists: parent_ptes of `child`, or a rmap.
struct Listed {
  VirtAddr spte;
  const Node* child = nullptr;
  RmapHead head;
};

// A memslot with its arrays.
struct SlotArrays {
  Memslot slot;
  MemslotArrays arrays;
  // disallow_lpage of slot->arch.lpage_info; index: level, from 2; empty: lost.
  std::array<std::vector<std::uint32_t>, MemslotArrays::deepest + 1> disallow_lpage;

  bool being_changed() const { return (slot.flags & slot_flag::invalid) != 0; }
};

struct ListFault {
  VirtAddr head;
  std::string_view name;
  std::string text;
};

using Lost = std::function<void(const Error&)>;

class Model {
 public:
  // Reads what rules ask for in Rule::excuse. Keeps the references; `lost` is told of memory that
  // is missing.
  Model(const Kvm& kvm, const Vm& vm, Lost lost);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  void read_lists();
  void read_roots();
  void read_slots();
  // Everything that the tables hold, those below roots of the TDP MMU included. `visit` is called
  // for each entry that is not empty.
  void read_tables(const std::function<void(const TableEntry&)>& visit);
  void read_parents();
  void read_rmaps();
  // What is lost from now on is no part.
  void end_reading() { part_ = 0; }

  const Kvm& kvm() const { return kvm_; }
  const Vm& vm() const { return vm_; }
  const StructCopy& counters() const { return counters_; }  // by Layout::vm_audit()
  const VmAuditFields& layout() const { return kvm_.layout().vm_audit(); }
  const SpteFormat& format() const { return format_; }
  const MmioFormat& mmio() const { return mmio_; }
  bool uses_tdp_mmu() const { return uses_tdp_mmu_; }
  // The parts of which some memory was missing.
  unsigned lost_parts() const { return lost_parts_; }
  // Of leaves, by max_huge_page_level.
  unsigned deepest_leaf() const { return deepest_leaf_; }
  // The bits of a role that a page has from the one above it.
  std::uint32_t inherited_role() const { return inherited_role_; }
  // Why findings may be half of a change: mmu_lock is held for writing, memslots are being changed,
  // an MMU notifier is at work; empty: nothing of that.
  std::string in_motion() const;
  bool lock_held_for_reading() const;

  const std::pmr::deque<Node>& nodes() const { return nodes_; }
  const Node* node_at(VirtAddr sp) const;
  const Node* node_of_table(VirtAddr spt) const;
  std::uint64_t active_count() const { return active_count_; }
  const std::vector<ListFault>& list_faults() const { return list_faults_; }
  const std::vector<BadHeader>& bad_headers() const { return bad_headers_; }
  // Pages on the lists of possible NX huge pages.
  const std::vector<VirtAddr>& nx_pages() const { return nx_pages_; }
  std::uint64_t bucket_of(Gfn gfn) const;

  const std::vector<Root>& roots() const { return roots_; }
  const std::vector<Vcpu>& vcpus() const { return vcpus_; }
  // By shadow page: how many root slots and entries of PAE tables hold it.
  const std::unordered_map<std::uint64_t, std::uint64_t>& references() const { return references_; }

  const std::deque<SlotArrays>& slots() const { return slots_; }
  // Whether all of them were found.
  bool slots_known() const { return slots_known_; }
  // Of the memslots of an address space; none: there is no such space.
  std::optional<std::uint64_t> generation(unsigned as_id) const;
  const std::vector<std::string>& slot_faults() const { return slot_faults_; }
  const SlotArrays* slot_of(unsigned as_id, Gfn gfn) const;

  const std::vector<TableLink>& links() const { return links_; }
  const std::vector<Leaf>& leaves() const { return leaves_; }
  const std::vector<Listed>& parents() const { return parents_; }
  const std::vector<Listed>& rmaps() const { return rmaps_; }
  const std::vector<ChainFault>& chain_faults() const { return chain_faults_; }
  bool obsolete(const ShadowPage& page) const;
  // page_private() of a table. Throws Error{fault}.
  VirtAddr owner_of(PhysAddr table) const;

  // What `get` returns; none: lost.
  template <typename Get>
  auto value(Get&& get) const -> std::optional<decltype(get())> {
    std::optional<decltype(get())> result;
    attempt([&] { result = get(); });
    return result;
  }
  template <typename Body>
  bool attempt(Body&& body) const {
    const std::optional<Error> error = lost_in(body);
    if (error) note_lost(*error);
    return !error;
  }

 private:
  struct Known {
    Node* node = nullptr;
    HashLinks hash_link = {};  // beside it: a walk of the hash goes from one to the next
  };

  // read_lists.cpp
  void read_list(std::string_view list, const Field& head, const Field& link,
                 const std::function<void(Listing&, VirtAddr)>& visit);
  void read_hash();
  void read_bucket(VirtAddr head, std::uint64_t bucket);
  void note_list_fault(VirtAddr head, std::string_view list, const Error& error);
  Node* add_node(VirtAddr address);
  void add_roots(const Vcpu& vcpu);
  void add_reference(PhysAddr table);
  void add_special_references(PhysAddr table, unsigned level);
  void read_slot(const Memslot& slot);
  // read_tables.cpp
  void read_table(Node& node, const std::function<void(const TableEntry&)>& visit);
  void add_table(Node& node);
  void index_tables();
  // Sets `lost` where it is not known whether there is one.
  Node* child_of(PhysAddr table, bool& lost);
  void note_lost(const Error& error) const;

  const Kvm& kvm_;
  const Vm& vm_;
  Lost lost_;
  StructCopy counters_;
  SpteFormat format_;
  MmioFormat mmio_;
  bool uses_tdp_mmu_ = false;
  unsigned deepest_leaf_ = 0;
  std::uint32_t inherited_role_ = 0;
  unsigned part_ = 0;  // that is being read
  mutable unsigned lost_parts_ = 0;
  mutable const SlotArrays* last_slot_ = nullptr;  // that slot_of() has found
  ObjectMemory objects_;
  const HashMemory hash_memory_{objects_, kvm_.layout().page(), [this](VirtAddr page) {
                                  const Known* known = by_address_.find(page.value);
                                  return known != nullptr ? &known->hash_link : nullptr;
                                }};

  HugeMemory pieces_;
  std::pmr::monotonic_buffer_resource arena_{&pieces_};
  std::pmr::deque<Node> nodes_{&arena_};  // references stay valid while they are found
  AddressMap<Known> by_address_{&arena_};
  AddressMap<Node*> by_table_{&arena_};  // by spt, since it was first asked for
  bool has_tables_ = false;
  std::unordered_set<std::uint64_t> unreadable_;
  std::uint64_t active_count_ = 0;
  std::uint64_t buckets_ = 0;  // of mmu_page_hash; 0: there is none yet
  std::vector<ListFault> list_faults_;
  std::vector<BadHeader> bad_headers_;
  std::vector<VirtAddr> nx_pages_;
  std::vector<Root> roots_;
  std::vector<Vcpu> vcpus_;
  std::unordered_map<std::uint64_t, std::uint64_t> references_;
  std::deque<SlotArrays> slots_;
  std::vector<std::string> slot_faults_;
  bool slots_known_ = false;
  std::vector<std::uint64_t> generations_;  // by address space
  std::vector<TableLink> links_;
  std::vector<Leaf> leaves_;
  std::vector<Listed> parents_;
  std::vector<Listed> rmaps_;
  std::vector<ChainFault> chain_faults_;
};

}  // namespace kvmscope::kvm::audit
