// why: what stands between a vCPU and an address of its guest.

#include "commands/catalogue.hpp"
#include "commands/guest_arguments.hpp"
#include "commands/root_names.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "commands/translate/translation.hpp"
#include "core/kvm/access_verdict.hpp"
#include "core/kvm/requests.hpp"

namespace kvmscope {
namespace {

using K = ColumnKind;

struct Item {
  const kvm::Kvm& kvm;
  const kvm::Vcpu& vcpu;
  kvm::Invalidation invalidation;
  const kvm::Memslot* slot;
  kvm::Verdict verdict;
};

// Behind those of `translate`.
const std::vector<FieldOf<Item>>& fields() {
  using I = const Item&;
  static const std::vector<FieldOf<Item>> all = {
      {{"slot_flags", K::hex, "KVM_MEM_* of the memslot; null: none holds the address"},
       [](I i) -> Value { return i.slot != nullptr ? Value{Hex(i.slot->flags)} : Value{}; }},
      {{"requests", K::words, "KVM_REQ_* pending for the vCPU"},
       [](I i) -> Value {
         return kvm::request_names(i.vcpu.fields.get(i.kvm.layout().vcpu().requests));
       }},
      {{"invalidate_seq", K::count, "mmu_invalidate_seq"},
       [](I i) -> Value { return i.invalidation.sequence; }},
      {{"invalidate_in_progress", K::count, "MMU notifiers at work"},
       [](I i) -> Value { return i.invalidation.in_progress; }},
      {{"invalidate_start", K::hex, "of the last one: a user address, a gfn since v6.9"},
       [](I i) -> Value { return hex_or_null(i.invalidation.start); }},
      {{"invalidate_end", K::hex, "the first that it did not cover"},
       [](I i) -> Value { return hex_or_null(i.invalidation.end); }},
      {{"verdict", K::text, "in a word, see `help why`"},
       [](I i) -> Value { return std::string(i.verdict.name); }},
      {{"because", K::text, "the evidence"}, [](I i) -> Value { return i.verdict.text; }},
      {{"kvm_vcpu", K::hex, "address of its struct kvm_vcpu", {}, true},
       [](I i) -> Value { return Hex(i.vcpu.address); }},
  };
  return all;
}

std::vector<Column> columns() {
  std::vector<Column> all = translation_columns();
  for (Column& column : columns_of(fields())) all.push_back(std::move(column));
  return all;
}

std::string block(const RecordView& record) {
  return fmt::format("{}  vCPU {}  root {}, requests {}\n  notifiers at work {}, seq {}\n{}: {}\n",
                     translation_text(record), record.text("vcpu"), root_text(record),
                     record.words("requests").empty() ? "none" : record.text("requests"),
                     record.text("invalidate_in_progress"), record.text("invalidate_seq"),
                     record.text("verdict"), record.text("because"));
}

// The memslot that the vCPU sees there.
const kvm::Memslot* slot_of(const std::vector<kvm::Memslot>& slots, unsigned as_id,
                            GuestPhysAddr gpa) {
  for (const kvm::Memslot& slot : slots)
    if (slot.as_id == as_id && holds(slot, to_gfn(gpa))) return &slot;
  return nullptr;
}

bool is_virtual(const std::optional<kvm::TreeStart>& tree) {
  return tree && tree->domain == kvm::Domain::gva;
}

void show(const kvm::Kvm& kvm, const kvm::Vm& vm, const kvm::Vcpu& vcpu, GuestPhysAddr gpa,
          const kvm::RootNames& names, RowSink& rows) {
  const std::vector<kvm::Memslot> slots = kvm.memslots(vm);
  const unsigned as_id = kvm::memslot_space(kvm, vcpu);
  kvm::RootPaths paths(kvm, names);
  Translation way{.kvm = kvm, .vm = vm, .paths = paths};
  way.gpa = gpa;
  way.root = walk_current_root(kvm, vcpu, std::nullopt, gpa);
  if (const kvm::Memslot* slot = slot_of(slots, as_id, gpa)) follow(way, *slot);
  const bool has_host = way.slot != nullptr && !way.host_lost && !way.host.lost;
  const kvm::Access access{
      .gpa = gpa,
      .as_id = as_id,
      .slot = way.slot,
      .hva = way.slot != nullptr ? way.hva() : 0,
      .invalidation = kvm::invalidation(kvm, vm),
      .host = has_host ? &way.host : nullptr,
      .sptes = way.slot != nullptr && !way.sptes_lost ? &way.sptes : nullptr,
      .root_steps = way.root->lost || way.root->steps.empty() ? nullptr : &way.root->steps,
      .virtual_root = is_virtual(way.root->tree) ? &*way.root->tree : nullptr};
  Record record = translation_record(way);
  const Item item{kvm, vcpu, access.invalidation, way.slot, kvm::verdict_of(kvm, vm, access)};
  for (Value& value : make_record(fields(), item).values) record.values.push_back(std::move(value));
  rows.add(std::move(record));
}

void explain(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const kvm::Vm vm = find_vm(kvm, *args.text("VM"), rows);
  const GuestPhysAddr gpa = parse_gpa(*args.text("GPA"));
  const std::uint64_t id = *args.number("VCPU");
  find_vcpu(kvm, vm, id);
  const kvm::RootNames names = root_names(kvm, {vm}, rows);
  steadily_by_vm(
      kvm, rows, {vm}, [](const kvm::Vm&) { return std::string("the access is not explained"); },
      [&](const kvm::Vm& now) { show(kvm, now, find_vcpu(kvm, now, id), gpa, names, rows); });
}

std::string details() {
  std::string text =
      "Looks at the memslot, the SPTEs, the root that the vCPU runs on, the owner's page tables\n"
      "and MMU notifiers, as the fault handler of KVM does, and ends in one of:\n";
  for (const kvm::VerdictName& one : kvm::verdict_names())
    text += fmt::format("  {:16} {}\n", one.name, one.meaning);
  text.pop_back();
  return text;
}

}  // namespace

Command why() {
  static const std::string text = details();
  return {
      .names = {"why"},
      .summary = "say why an access of a vCPU to a guest address would not get through",
      .details = text,
      .arguments = {one_vm_argument(),
                    {"VCPU", ArgumentKind::number, "its vcpu_id"},
                    {"GPA", ArgumentKind::address,
                     "a guest physical address: a number, gpa:N or gfn:N"}},
      .columns = columns(),
      .view = {.block = block},
      .keys = {"vm", "vcpu"},
      .examples = {"why 0 0 0x144000", "why 0 3 gfn:0x144 -f json"},
      .run = explain,
  };
}

}  // namespace kvmscope
