// The rule about the guest's own tables: what a shadow page that is not unsync says, they say.

#include "core/kvm/audit/describe.hpp"
#include "core/kvm/audit/host_pages.hpp"

namespace kvmscope::kvm::audit {
namespace {

constexpr std::uint64_t large = 0x80;  // PS: the entry maps a large page
constexpr std::uint64_t frame_bits = bit_range(12, 51);
constexpr std::uint64_t short_frame_bits = bit_range(12, 31);

// One entry of a guest's table, which stands for an SPTE.
struct GuestEntry {
  std::uint64_t value = 0;
  bool present = false;
  Gfn frame;  // the first that it maps, or of the table that it leads to
};

// A guest's tables, the one that was read last.
class GuestTables {
 public:
  explicit GuestTables(const Model& model) : model_(model), host_(model.kvm(), model.vm()) {}

  // None: that page of the guest is not there to be read. `is_large`: KVM took it for the entry of
  // a large page.
  std::optional<GuestEntry> entry(const ShadowPage& page, unsigned index, bool is_large) {
    if (page.address != read_for_) read(page);
    if (!known_) return std::nullopt;
    return page.role.has_4_byte_gpte ? short_entry(page, index, is_large) : long_entry(page, index);
  }

  std::uint64_t missing() const { return missing_; }

 private:
  void read(const ShadowPage& page) {
    read_for_ = page.address;
    const SlotArrays* slot = model_.slot_of(page.role.smm, page.gfn);
    known_ = slot != nullptr && !slot->being_changed() && !lost_in([&] {
               const std::uint64_t hva = hva_of(slot->slot, to_gpa(page.gfn));
               const HostPage host = host_.at(hva);
               if (host.state != HostState::mapped)
                 throw_error(ErrorKind::fault, "hva {:#x} is {}", hva, name(host.state));
               table_ = read_table(model_.kvm().kernel().physical(), host.hpa);
             });
    missing_ += !known_;
  }

  GuestEntry long_entry(const ShadowPage& page, unsigned index) const {
    GuestEntry entry;
    entry.value = table_[index];
    // An EPT entry, of a guest's guest, has no bit of its own for that.
    const bool ept = page.role.guest_mode && model_.format().ept();
    entry.present = (entry.value & (ept ? 7 : 1)) != 0;
    const unsigned level = page.level();
    const bool is_large = level > 1 && (entry.value & large) != 0;
    const std::uint64_t size = is_large ? page_size << (9 * (level - 1)) : page_size;
    entry.frame = {align_down(entry.value & frame_bits, size) >> page_shift};
    return entry;
  }

  // 32-bit paging: a guest's table needs 2 shadow pages at level 1, 4 at level 2, where an entry
  // needs 2 SPTEs. Without CR4.PSE, which no role tells, there are no large pages.
  GuestEntry short_entry(const ShadowPage& page, unsigned index, bool is_large) const {
    const bool top = page.level() > 1;
    const std::uint64_t at =
        top ? page.role.quadrant * 256 + index / 2 : (page.role.quadrant & 1) * 512 + index;
    GuestEntry entry;
    entry.value = table_[at / 2 % table_.size()] >> (at % 2 * 32) & 0xffffffff;
    entry.present = (entry.value & 1) != 0;
    if (is_large && (entry.value & large) != 0) {
      // PSE-36: bits 13 to 20 are 32 to 39 of the address.
      const std::uint64_t high = (entry.value >> 13 & 0xff) << 32;
      entry.frame = {((entry.value & bit_range(22, 31)) | high) >> page_shift};
      entry.frame += index % 2 * std::uint64_t{512};
    } else {
      entry.frame = {(entry.value & short_frame_bits) >> page_shift};
    }
    return entry;
  }

  const Model& model_;
  HostPages host_;
  VirtAddr read_for_;
  bool known_ = false;
  Table table_{};
  std::uint64_t missing_ = 0;
};

bool follows_guest(const Model& model, const Node& node) {
  return node.has_gptes() && !node.page.unsync && !node.page.role.invalid &&
         !model.obsolete(node.page);
}

void check_leaf(const Leaf& leaf, GuestTables& guest, Report& report) {
  const std::optional<GuestEntry> entry =
      guest.entry(leaf.node->page, leaf.index, leaf.node->page.level() > 1);
  if (!entry) return;
  if (!entry->present)
    report.add(about(leaf, fmt::format("maps gfn {:#x}, but the guest's entry {:#x} is not present",
                                       leaf.gfn.value, entry->value)));
  else if (entry->frame != leaf.gfn)
    report.add(about(leaf, fmt::format("maps gfn {:#x}, but the guest's entry {:#x} has gfn {:#x}",
                                       leaf.gfn.value, entry->value, entry->frame.value)));
}

void check_link(const TableLink& link, GuestTables& guest, Report& report) {
  const ShadowPage& child = link.child->page;
  // Below a large page of the guest there are direct pages.
  const std::optional<GuestEntry> entry =
      guest.entry(link.parent->page, link.index, child.role.direct);
  if (!entry || (entry->present && entry->frame == child.gfn)) return;
  Finding finding = about(
      *link.parent, fmt::format("leads with [{}] to {}, but the guest's entry {:#x} {}", link.index,
                                words(child), entry->value,
                                entry->present ? fmt::format("has gfn {:#x}", entry->frame.value)
                                               : std::string("is not present")));
  finding.index = link.index;
  finding.related = {child.address, link.at};
  report.add(std::move(finding));
}

void check_guest(const Model& model, Report& report) {
  GuestTables guest(model);
  for (const Leaf& leaf : model.leaves())
    if (follows_guest(model, *leaf.node)) check_leaf(leaf, guest, report);
  for (const TableLink& link : model.links())
    if (follows_guest(model, *link.parent)) check_link(link, guest, report);
  if (guest.missing() != 0)
    report.skip(fmt::format("{} tables of the guest are not there to be read", guest.missing()));
}

}  // namespace

std::vector<Rule> guest_rules() {
  return {
      {.name = "guest-entry",
       .what =
           "each present entry of a page that is not unsync has the frame, or leads to the page "
           "of the table, that the guest's entry names, which is present",
       .when =
           "valid indirect pages that are not obsolete, where the guest's memory is in the dump",
       .source = "FNAME(fetch), FNAME(sync_spte), kvm_mmu_track_write",
       .breaks = {"rmap", "host-pfn"},
       .reads = part::lists | part::slots | part::tables,
       .whole = part::slots,
       .check = check_guest},
  };
}

}  // namespace kvmscope::kvm::audit
