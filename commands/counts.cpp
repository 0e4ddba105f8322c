// counts: what KVM keeps for the page tables of each VM: pages by role, the page hash, memory.

#include <array>

#include "commands/catalogue.hpp"
#include "commands/count_fields.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"
#include "core/memory/settle.hpp"

namespace kvmscope {
namespace {

using kvm::MmuCounts;

// ---- for people

std::string kib(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  return bytes % 1024 == 0 ? fmt::format("{} KiB", bytes / 1024)
                           : fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
}

std::string levels_text(const RecordView& record) {
  std::string text = "  L   PAGES  DIRECT  INDIRECT  UNSYNC  INVALID  OBSOLETE  TDP MMU\n";
  for (const Record& row : record.records("levels")) {
    const RecordView level(count_level_columns(), row);
    text += fmt::format("  {}  {:>6}  {:>6}  {:>8}  {:>6}  {:>7}  {:>8}  {:>7}\n",
                        level.text("level"), level.text("pages"), level.text("direct"),
                        level.text("indirect"), level.text("unsync"), level.text("invalid"),
                        level.text("obsolete"), level.text("tdp_mmu"));
  }
  return text;
}

std::string roles_text(const RecordView& record) {
  std::string text = "  L   PAGES  ROLE\n";
  for (const Record& row : record.records("roles")) {
    const RecordView role(count_role_columns(), row);
    text +=
        fmt::format("  {}  {:>6}  {}{}{}{}\n", role.text("level"), role.text("pages"),
                    role.text("role_text"), role.flag("guest_mode") ? " guest_mode" : "",
                    role.number("smm") != 0 ? " smm" : "", role.flag("tdp_mmu") ? " tdp_mmu" : "");
  }
  return text;
}

std::string hash_text(const RecordView& record) {
  std::string lengths;
  for (const Record& row : record.records("hash_lengths")) {
    const RecordView length(count_length_columns(), row);
    lengths += fmt::format("{} {} of length {}", lengths.empty() ? ":" : ",",
                           length.text("buckets"), length.text("length"));
  }
  return fmt::format("  page hash: {} pages in {} buckets{}\n", record.text("hash_pages"),
                     record.text("hash_buckets"), lengths);
}

std::string memory_text(const RecordView& record) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> parts = {
      {{"shadow tables", "shadow_bytes"},
       {"TDP MMU tables", "tdp_bytes"},
       {"headers", "header_bytes"},
       {"gfn tables", "gfn_table_bytes"},
       {"pte_list_desc", "descriptor_bytes"},
       {"rmaps", "rmap_bytes"},
       {"lpage_info", "lpage_info_bytes"},
       {"write tracking", "gfn_track_bytes"}}};
  std::string text = fmt::format("  memory: {}", kib(record.number("total_bytes")));
  std::string_view before = ":";
  for (const auto& [words, field] : parts) {
    if (record.number(field) == 0) continue;
    text += fmt::format("{} {} {}", before, words, kib(record.number(field)));
    before = ",";
  }
  return text + '\n';
}

std::string block(const RecordView& record) {
  std::string text = fmt::format("VM {}: {} shadow pages (used {}, max {}), {} TDP MMU pages",
                                 record.text("vm"), record.text("pages"), record.text("used"),
                                 record.text("max"), record.text("tdp_pages"));
  if (record.number("unreadable") != 0)
    text += fmt::format(", unreadable {}", record.text("unreadable"));
  text += '\n' + levels_text(record) + roles_text(record) + hash_text(record);
  text += fmt::format("  invalid roots that wait for zap: {} shadow, {} TDP MMU\n",
                      record.text("invalid_roots"), record.text("invalid_tdp_roots"));
  text += fmt::format("  rmaps: {} SPTEs, {} pte_list_desc; parents: {} pte_list_desc\n",
                      record.text("rmap_entries"), record.text("rmap_descriptors"),
                      record.text("parent_descriptors"));
  return text + memory_text(record);
}

// ---- counting

struct Counted {
  MmuCounts counts;
  std::vector<Error> lost;
};

Counted count_once(const kvm::Kvm& kvm, const kvm::Vm& vm) {
  Counted counted;
  counted.counts =
      kvm::count_mmu(kvm, vm, [&](const Error& error) { counted.lost.push_back(error); });
  return counted;
}

void count_vm(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows) {
  Counted counted = count_once(kvm, vm);
  // On a kernel that runs: until two counts in a row find the same, or often enough.
  std::string torn;
  if (kvm.kernel().steady() != nullptr) {
    torn = "pages or rmaps changed while they were counted";
    for (unsigned attempt = 1; attempt < most_attempts && !torn.empty(); ++attempt) {
      Counted next = count_once(kvm, vm);
      if (next.counts == counted.counts && next.lost.size() == counted.lost.size()) torn.clear();
      counted = std::move(next);
    }
    kvm.check_alive(vm.address);
  }
  for (const Error& error : counted.lost) {
    const std::string text = fmt::format("not all of VM {} is counted: {}", vm.index, error.what());
    if (!torn.empty() || error.kind() == ErrorKind::torn) {
      rows.set_torn(text);
      continue;
    }
    rows.note(text);
    rows.set_status(exit_status(error.kind()));
  }
  rows.add_checked(make_record(count_fields(), CountItem{kvm, vm, counted.counts}), std::nullopt,
                   torn);
}

void run_counts(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  for (const kvm::Vm& vm : selected_vms(kvm, args, rows)) {
    session.progress(fmt::format("counting VM {}", vm.index));
    rows.attempt([&] { return fmt::format("VM {} is not counted", vm.index); },
                 [&] { count_vm(kvm, vm, rows); });
  }
}

}  // namespace

Command counts() {
  return {
      .names = {"counts"},
      .summary = "count what KVM keeps for the page tables of each VM",
      .details =
          "Pages by level and role, the lengths of the page hash's buckets, invalid roots that\n"
          "some vCPU still holds, and the memory that all of it takes.",
      .arguments = {vm_argument()},
      .columns = columns_of(count_fields()),
      .view = {.block = block},
      .keys = {"vm"},
      .examples = {"counts 0", "counts -f json", "counts -f csv -o vm,pages,total_bytes"},
      .run = run_counts,
  };
}

}  // namespace kvmscope
