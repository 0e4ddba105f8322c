// guest: what a VM's guest has in its memory and registers.

#include <algorithm>

#include "commands/catalogue.hpp"
#include "commands/guest_arguments.hpp"
#include "commands/hex_dump.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "commands/targets.hpp"
#include "core/base/interrupt.hpp"
#include "core/kvm/guest_memory.hpp"
#include "core/kvm/guest_paging.hpp"
#include "core/kvm/registers.hpp"

namespace kvmscope {
namespace {

using K = ColumnKind;

constexpr std::string_view read_action = "read";
constexpr std::string_view registers_action = "regs";

// ---- memory

// The guest's memory as it was when this was made.
struct Guest {
  Guest(const kvm::Kvm& kvm, const kvm::Vm& found, const Arguments& args) : vm(found) {
    if (args.has("--gva"))
      paging = kvm::guest_paging(kvm, find_vcpu(kvm, vm, args), args.number("--cr3"));
    memory.emplace(kvm, vm, paging ? paging->as_id : 0);
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() = default;

  // Throws Error{fault} for a guest virtual address without a page.
  GuestPhysAddr physical(std::uint64_t address) const {
    if (!paging) return {address};
    const kvm::GuestWalk walk = kvm::walk_guest(*memory, *paging, address);
    if (walk.lost) throw Error(*walk.lost);
    if (!walk.gpa)
      throw_error(ErrorKind::fault, "guest virtual address {:#x} is not mapped: {}", address,
                  walk.fault);
    return *walk.gpa;
  }

  kvm::Vm vm;
  std::optional<kvm::GuestPaging> paging;  // addresses are virtual ones
  std::optional<kvm::GuestMemory> memory;
};

std::vector<Column> memory_columns() {
  return {{"vm", K::count, "number of the VM"},
          {"address", K::hex, "of the first byte, as it was given"},
          {"gpa", K::hex, "guest physical address of it; null: not known"},
          {"bytes", K::text,
           "16 bytes in hex, in the order of memory; lost: all of a page that is not there"},
          {"text", K::text, "the same as ASCII, a dot for anything else"}};
}

// What lies in one guest page.
void read_page(const Guest& guest, std::uint64_t at, std::uint64_t count, RowSink& rows) {
  check_interrupt();
  std::optional<GuestPhysAddr> gpa;
  dump_lines(
      count,
      [&](MutableBytes into) {
        gpa = guest.physical(at);
        guest.memory->read(*gpa, into);
      },
      [&](std::uint64_t offset, Value bytes, Value text) {
        rows.add({{std::uint64_t{guest.vm.index}, Hex(at + offset),
                   gpa ? Value{Hex(*gpa + offset)} : Value{}, std::move(bytes), std::move(text)}});
      });
}

void read_memory(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  if (!args.text("ADDRESS"))
    throw_error(ErrorKind::usage, "say where: guest {} read ADDRESS [COUNT]", *args.text("VM"));
  check_guest_virtual_options(args);
  const std::uint64_t start = parse_gpa(*args.text("ADDRESS")).value;
  const std::uint64_t count = dump_size(start, args.number("COUNT"));
  const kvm::Vm vm = find_vm(kvm, *args.text("VM"), rows);
  if (const auto why = kvm::confidential(kvm, vm))
    throw_error(ErrorKind::fault, "the memory of VM {} cannot be read: the {}", vm.index, *why);
  std::optional<Guest> once;  // in a dump nothing changes
  if (kvm.kernel().steady() == nullptr) once.emplace(kvm, vm, args);
  for (std::uint64_t done = 0; done < count;) {
    const std::uint64_t at = start + done;
    const std::uint64_t size = std::min(count - done, page_size - (at & page_offset_mask));
    steadily(kvm.kernel(), rows,
             {.make =
                  [&](std::size_t) {
                    if (once) return read_page(*once, at, size, rows);
                    read_page(Guest(kvm, kvm.vm_at(vm.address, vm.index), args), at, size, rows);
                  },
              .what = [&](std::size_t) { return fmt::format("the guest's page at {:#x}", at); }});
    done += size;
  }
}

// ---- registers

struct RegisterItem {
  const kvm::Vcpu& vcpu;
  std::uint64_t id;
  const kvm::Register& reg;
};

const std::vector<FieldOf<RegisterItem>>& register_fields() {
  using I = const RegisterItem&;
  static const std::vector<FieldOf<RegisterItem>> all = {
      {{"vm", K::count, "number of the VM"}, [](I i) -> Value { return std::uint64_t{i.vcpu.vm}; }},
      {{"vcpu", K::count, "vcpu_id"}, [](I i) -> Value { return i.id; }},
      {{"kvm_vcpu", K::hex, "address of its struct kvm_vcpu", {}, true},
       [](I i) -> Value { return Hex(i.vcpu.address); }},
      {{"register", K::text, "its name"}, [](I i) -> Value { return std::string(i.reg.name); }},
      {{"value", K::hex, "what is known of it"}, [](I i) -> Value { return Hex(i.reg.value); }},
      {{"source", K::text, "cache: kvm_vcpu_arch; vmcb: AMD's save area"},
       [](I i) -> Value { return std::string(i.reg.source); }},
      {{"stale", K::flag, "whether the CPU may have a newer value"},
       [](I i) -> Value { return !i.reg.stale.empty(); }},
      {{"remark", K::text, "why it may be stale, or what it is where it is not simply the guest's"},
       [](I i) -> Value {
         if (!i.reg.stale.empty()) return i.reg.stale;
         return i.reg.remark.empty() ? Value{} : Value{std::string(i.reg.remark)};
       }},
  };
  return all;
}

void show_registers(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  if (args.text("ADDRESS") || args.has("--gva") || args.has("--cr3") || args.has("--raw"))
    throw_error(ErrorKind::usage, "regs takes no address: guest {} regs [--vcpu N]",
                *args.text("VM"));
  const kvm::Vm vm = find_vm(kvm, *args.text("VM"), rows);
  if (args.has("--vcpu")) find_vcpu(kvm, vm, args);
  const std::optional<std::uint64_t> wanted = args.number("--vcpu");
  steadily_by_vcpu(kvm, vm, rows, [&](const kvm::Vcpu& vcpu) {
    const std::uint64_t id = vcpu.fields.get(kvm.layout().vcpu().vcpu_id);
    if (wanted && id != *wanted) return;
    for (const kvm::Register& reg : kvm::registers(kvm, vcpu))
      rows.add(make_record(register_fields(), RegisterItem{vcpu, id, reg}));
  });
}

View register_view() {
  const auto state = [](const RecordView& record) {
    const std::string remark = record.is_null("remark") ? "" : record.text("remark");
    return record.flag("stale") ? "stale: " + remark : remark;
  };
  return {.table = {number_column("VM", "vm"),
                    number_column("VCPU", "vcpu"),
                    column("REGISTER", "register"),
                    column("VALUE", "value"),
                    column("SOURCE", "source"),
                    {"REMARK", Align::left, state}}};
}

std::optional<Mode> shape(Session&, const Arguments& args, OutputOptions& output) {
  if (args.has("--raw")) output.format = "raw";
  if (args.text("ACTION") != registers_action) return std::nullopt;
  return Mode{"", columns_of(register_fields()), register_view()};
}

std::vector<Option> options() {
  std::vector<Option> all = guest_virtual_options();
  all.push_back({"--raw", "", ArgumentKind::text, "the bytes as they are, as -f raw"});
  return all;
}

}  // namespace

Command guest() {
  return {
      .names = {"guest"},
      .summary = "read a guest's memory, or what is known of its registers",
      .details =
          "read: through memslots and the page tables of the process that owns the VM; with\n"
          "--gva through the guest's own page tables before. Memory that only the guest can\n"
          "read (SEV, TDX, guest_memfd) is refused.\n"
          "regs: KVM's cache of each vCPU's registers and, on AMD, what its VMCB holds. On Intel\n"
          "the VMCS cannot be read: what KVM has not fetched from it is marked stale.",
      .arguments = {one_vm_argument(),
                    {"ACTION",
                     ArgumentKind::text,
                     "read or regs",
                     false,
                     false,
                     {read_action, registers_action}},
                    {"ADDRESS", ArgumentKind::address,
                     "a guest physical address: a number, gpa:N or gfn:N", true},
                    {"COUNT", ArgumentKind::number, "bytes, at most 16 MiB (64)", true}},
      .options = options(),
      .columns = memory_columns(),
      .view = dump_view(true),
      .shape = shape,
      .examples = {"guest 0 read 0x144000", "guest 0 read --gva --vcpu 3 0x8000000000 256",
                   "guest 0 read gfn:0x100 4096 --raw > page", "guest 0 regs"},
      .run =
          [](Session& session, const Arguments& args, RowSink& rows) {
            if (args.text("ACTION") == registers_action) return show_registers(session, args, rows);
            read_memory(session, args, rows);
          },
  };
}

}  // namespace kvmscope
