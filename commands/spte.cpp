// spte: what one shadow page-table entry means, by this kernel's own masks.

#include "core/kvm/spte.hpp"

#include <array>

#include "commands/catalogue.hpp"
#include "commands/entries.hpp"
#include "commands/root_names.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "core/kvm/mmio_spte.hpp"

namespace kvmscope {
namespace {

struct Item {
  const kvm::Kvm& kvm;
  const kvm::SpteFormat& format;
  const kvm::MmioFormat& mmio;
  std::uint64_t spte = 0;
  unsigned level = 1;
  std::optional<VirtAddr> address = {};
  std::optional<kvm::SptePlace> place = {};
  std::optional<kvm::Vm> vm = {};

  kvm::SpteKind kind() const { return format.kind(spte, level); }
  bool is(kvm::SpteKind wanted) const { return kind() == wanted; }
  bool present() const { return is(kvm::SpteKind::table) || is(kvm::SpteKind::leaf); }
  // Of a present entry; null of another one.
  Value flag(bool value) const { return present() ? Value{value} : Value{}; }
  // Of a leaf; null of another one.
  Value leaf_flag(bool value) const { return is(kvm::SpteKind::leaf) ? Value{value} : Value{}; }
};

constexpr std::uint64_t ept_memtype = bit_range(3, 5);     // VMX_EPT_MT_MASK
constexpr std::uint64_t ept_ignore_pat = bit_range(6, 6);  // VMX_EPT_IPAT_BIT

// Memory types, Intel SDM 11.3.
std::string_view memtype(std::uint64_t spte) {
  constexpr std::array<std::string_view, 8> names = {"UC", "WC", "?", "?", "WT", "WP", "WB", "UC-"};
  return names[(spte & ept_memtype) >> 3];
}

Value memtype_of(const Item& item) {
  if (!item.format.ept() || !item.is(kvm::SpteKind::leaf)) return {};
  return fmt::format("{}{}", memtype(item.spte),
                     (item.spte & ept_ignore_pat) != 0 ? ", ignore PAT" : "");
}

// How accessed and dirty are kept (spte_ad_enabled() and its neighbours).
Value ad_type_of(const Item& item) {
  if (!item.present()) return {};
  if (!item.format.ad_enabled(item.spte)) return std::string("disabled");
  const std::uint64_t write_protected = item.format.ad_mask & (item.format.ad_mask << 1);
  if ((item.spte & item.format.ad_mask) != 0 &&
      (item.spte & item.format.ad_mask) == write_protected)
    return std::string("write-protect only");
  return std::string("enabled");
}

Value gfn_of(const Item& item) {
  if (item.is(kvm::SpteKind::mmio)) return Hex(item.mmio.gfn(item.spte));
  if (!item.is(kvm::SpteKind::leaf) || !item.place) return {};
  return Hex(item.kvm.entry_gfn(item.place->page, item.place->index));
}

Value accessed_of(const Item& item) {
  return item.format.accessed == 0 ? Value{} : item.flag((item.spte & item.format.accessed) != 0);
}

Value dirty_of(const Item& item) {
  return item.format.dirty == 0 ? Value{} : item.leaf_flag((item.spte & item.format.dirty) != 0);
}

// memslots->generation of the address space that the entry belongs to; none: no VM.
std::optional<std::uint64_t> memslots_generation(const Item& item) {
  if (!item.vm) return std::nullopt;
  const unsigned as_id = item.place ? item.place->page.role.smm : 0;
  return kvm::memslots_generation(item.kvm, *item.vm, as_id);
}

Value slots_generation_of(const Item& item) {
  if (!item.is(kvm::SpteKind::mmio)) return {};
  const std::optional<std::uint64_t> now = memslots_generation(item);
  return now ? Value{item.mmio.kept(*now)} : Value{};
}

Value stale_of(const Item& item) {
  const Value now = slots_generation_of(item);
  if (!std::holds_alternative<std::uint64_t>(now)) return {};
  return item.mmio.generation(item.spte) != std::get<std::uint64_t>(now);
}

const std::vector<FieldOf<Item>>& fields() {
  using K = ColumnKind;
  using I = const Item&;
  static const std::vector<FieldOf<Item>> all = {
      {{"spte", K::hex, "the entry"}, [](I i) -> Value { return Hex(i.spte); }},
      {{"spte_address", K::hex, "where it stands; null when it was given as a number"},
       [](I i) -> Value { return i.address ? Value{Hex(*i.address)} : Value{}; }},
      {{"sp", K::hex, "shadow page whose table it is in"},
       [](I i) -> Value { return i.place ? Value{Hex(i.place->page.address)} : Value{}; }},
      {{"index", K::count, "in that table"},
       [](I i) -> Value { return i.place ? Value{std::uint64_t{i.place->index}} : Value{}; }},
      {{"level", K::count, "that it was taken to be of; 1 maps 4 KiB pages"},
       [](I i) -> Value { return std::uint64_t{i.level}; }},
      {{"kind", K::text, "table, leaf, mmio, frozen, nonpresent or unknown"},
       [](I i) -> Value { return std::string(kvm::name(i.kind())); }},
      {{"format", K::text, "ept, or x86 (legacy and NPT)"},
       [](I i) -> Value { return std::string(i.format.ept() ? "ept" : "x86"); }},
      {{"present", K::flag, "is_shadow_present_pte(); the hardware may see it otherwise"},
       [](I i) -> Value { return i.present(); }},
      {{"readable", K::flag, "to the hardware"},
       [](I i) -> Value { return i.flag(i.format.readable(i.spte)); }},
      {{"writable", K::flag, "to the hardware"},
       [](I i) -> Value { return i.flag(i.format.writable(i.spte)); }},
      {{"executable", K::flag, "to the hardware"},
       [](I i) -> Value { return i.flag(i.format.executable(i.spte)); }},
      {{"user", K::flag, "for user mode, too"},
       [](I i) -> Value { return i.flag(i.format.user_accessible(i.spte)); }},
      {{"accessed", K::flag, "null: this kernel keeps no such bit"}, accessed_of},
      {{"dirty", K::flag, "null: this kernel keeps no such bit"}, dirty_of},
      {{"ad_type", K::text,
        "how accessed and dirty are kept: enabled, disabled, write-protect only"},
       ad_type_of},
      {{"host_writable", K::flag, "the host's mapping allows writes"},
       [](I i) -> Value { return i.leaf_flag((i.spte & i.format.host_writable) != 0); }},
      {{"mmu_writable", K::flag, "KVM may make it writable without looking further"},
       [](I i) -> Value { return i.leaf_flag((i.spte & i.format.mmu_writable) != 0); }},
      {{"access_tracked", K::flag, "permissions are taken away to see the next access"},
       [](I i) -> Value { return i.flag(i.format.access_tracked(i.spte)); }},
      {{"huge", K::flag, "maps more than 4 KiB"},
       [](I i) -> Value { return i.leaf_flag(i.level > 1); }},
      {{"memtype", K::text, "EPT memory type; null in other formats"}, memtype_of},
      {{"pfn", K::hex, "host frame of the table or page"},
       [](I i) -> Value {
         return i.present() ? Value{Hex(to_pfn(i.format.target(i.spte)))} : Value{};
       }},
      {{"gfn", K::hex, "guest frame: of an MMIO entry, or of a leaf whose table is known"}, gfn_of},
      {{"mmio_generation", K::count, "of the memslots, when the MMIO entry was made"},
       [](I i) -> Value {
         return i.is(kvm::SpteKind::mmio) ? Value{i.mmio.generation(i.spte)} : Value{};
       }},
      {{"slots_generation", K::count, "the same bits of the memslots' generation now"},
       slots_generation_of},
      {{"mmio_stale", K::flag, "memslots have changed since: the next access makes it anew"},
       stale_of},
      {{"mmio_access", K::hex, "access bits that an MMIO entry keeps"},
       [](I i) -> Value {
         return i.is(kvm::SpteKind::mmio) ? Value{Hex(i.spte & i.mmio.access)} : Value{};
       }},
      {{"flags", K::words, "as `tree` and `path` have them"},
       [](I i) -> Value {
         return i.present() ? Value{i.format.flags(i.spte, i.level)} : Value{Words{}};
       }},
  };
  return all;
}

// ---- for people

std::string mmio_text(const RecordView& record) {
  if (record.is_null("mmio_generation")) return "";
  std::string text = fmt::format("  MMIO of gfn {}, generation {}", record.text("gfn"),
                                 record.text("mmio_generation"));
  if (record.is_null("mmio_stale")) return text + ": give --vm to see whether it is stale\n";
  return text + fmt::format(": {} (memslots are at {})\n",
                            record.flag("mmio_stale") ? "stale" : "current",
                            record.text("slots_generation"));
}

std::string block(const RecordView& record) {
  std::string text = fmt::format("{} level {}: {}", record.text("spte"), record.text("level"),
                                 record.text("kind"));
  if (!record.is_null("sp"))
    text += fmt::format(", entry {} of shadow page {}", record.text("index"), record.text("sp"));
  text += '\n';
  if (record.flag("present"))
    text += fmt::format("  {} {} {}  pfn {}{}{}\n  {}\n  A/D {}{}\n", permission_text(record),
                        access_dirty_text(record), writable_text(record), record.text("pfn"),
                        record.is_null("gfn") ? "" : "  gfn ",
                        record.is_null("gfn") ? "" : record.text("gfn"),
                        fmt::join(record.words("flags"), " "), record.text("ad_type"),
                        record.is_null("memtype") ? "" : "  memory type " + record.text("memtype"));
  return text + mmio_text(record);
}

// ---- what the user means

// The VM that an entry belongs to, as far as it can be told.
std::optional<kvm::Vm> vm_of(const kvm::Kvm& kvm, const Arguments& args,
                             const std::optional<kvm::SptePlace>& place, RowSink& rows) {
  if (const std::optional<std::string> text = args.option("--vm")) return find_vm(kvm, *text, rows);
  std::vector<kvm::Vm> vms = all_vms(kvm, rows);
  if (vms.size() == 1) return std::move(vms.front());
  for (kvm::Vm& vm : vms) {
    if (!place) break;
    const kvm::RootNames names = root_names(kvm, {vm}, rows);
    kvm::RootPaths paths(kvm, names);
    const bool found =
        if_readable([&] { return paths.to(place->page).named != 0; }).value_or(false);
    if (found) return std::move(vm);
  }
  return std::nullopt;
}

void show(const kvm::Kvm& kvm, const Arguments& args, std::uint64_t number, RowSink& rows) {
  kvm::SpteFormat format = kvm.spte_format();
  const kvm::MmioFormat mmio = kvm::read_mmio_format(kvm.kernel(), format);
  Item item{kvm, format, mmio};
  item.spte = number;
  const bool is_address =
      !args.has("--value") && number % 8 == 0 && kvm.kernel().direct_phys({number});
  if (is_address) {
    item.address = VirtAddr{number};
    item.spte = kvm.memory().u64({number});
    const std::optional<Error> lost = lost_in([&] { item.place = kvm::spte_place(kvm, {number}); });
    if (lost)
      rows.note(fmt::format("{:#x} is in no table of a shadow page that is known: {}", number,
                            lost->what()));
    if (item.place) item.level = item.place->page.level();
  }
  if (const std::optional<std::uint64_t> level = args.number("--level"))
    item.level = static_cast<unsigned>(*level);
  // What marks an MMIO entry, and whether it is stale, is up to the VM.
  if (!item.present() && !item.is(kvm::SpteKind::nonpresent))
    item.vm = vm_of(kvm, args, item.place, rows);
  if (item.vm)
    format.mmio_value =
        item.vm->fields.find(kvm.layout().vm().shadow_mmio_value).value_or(format.mmio_value);
  rows.add(make_record(fields(), item));
}

void show_spte(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const std::uint64_t number = parse_number(*args.text("SPTE"));
  const std::uint64_t level = args.number("--level").value_or(1);
  if (level < 1 || level > 5) throw_error(ErrorKind::usage, "no level {}: 1 to 5", level);
  kvm.spte_format();  // masks do not change, and take more than one read
  steadily(kvm.kernel(), rows,
           {.make = [&](std::size_t) { show(kvm, args, number, rows); },
            .what = [](std::size_t) { return std::string("the entry is not known"); }});
}

}  // namespace

Command spte() {
  return {
      .names = {"spte"},
      .summary = "say what a shadow page-table entry means, by this kernel's own masks",
      .details =
          "SPTE is the entry itself, or the address that it stands at (in the direct map, as\n"
          "`tree -f json` has it), which also tells its level and shadow page.",
      .arguments = {{"SPTE", ArgumentKind::number, "an entry, or its address"}},
      .options = {{"--level", "N", ArgumentKind::number, "1 to 5; that of its table, else 1"},
                  {"--vm", "VM", ArgumentKind::vm, "whose memslots an MMIO entry is held against"},
                  {"--value", "", ArgumentKind::text,
                   "it is an entry, though it looks like an address"}},
      .columns = columns_of(fields()),
      .view = {.block = block},
      .examples = {"spte 0xaa1aa25", "spte 0x80000000009007ff --level 2", "spte ffff8b1e0496b000"},
      .run = show_spte,
  };
}

}  // namespace kvmscope
