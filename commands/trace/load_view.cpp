// How `trace load` looks: its fields, and its lines for a person.

#include "commands/trace/event_view.hpp"
#include "commands/trace/histogram.hpp"
#include "commands/trace/load_parts.hpp"

namespace kvmscope::tracing {
namespace {

std::string scope_text(const RecordView& record) {
  if (record.is_null("vm") && record.is_null("vcpu")) return "all";
  const std::string vm = record.is_null("vm") ? "?" : record.text("vm");
  return record.is_null("vcpu") ? "VM " + vm : fmt::format("{}.{}", vm, record.text("vcpu"));
}

std::string counts_text(const RecordView& record) {
  std::string text =
      fmt::format("{:>8} switches {:>8} hits {:>8} misses {:>8} loads", record.text("switches"),
                  record.text("hits"), record.text("misses"), record.text("loads"));
  for (const char* cause : {"reset", "obsolete", "unload", "pdptrs", "unknown"})
    if (record.text(cause) != "0") text += fmt::format("  {} {}", cause, record.text(cause));
  return text + '\n';
}

std::string block(const RecordView& record) {
  const std::string kind = record.text("kind");
  if (kind == "bucket") {
    constexpr unsigned width = 40;
    return fmt::format(
        "  {:>17} {:>6} |{}|\n", fmt::format("[{}, {})", record.text("low"), record.text("high")),
        record.text("seconds"), bar(record.number("seconds"), record.number("of"), width));
  }
  if (kind == "total")
    return fmt::format("\ntotal     {:<6} {}loads per second, {} s\n", scope_text(record),
                       counts_text(record), record.text("of"));
  return fmt::format("{}  {:<6} {}", time_text(record, 8), scope_text(record), counts_text(record));
}

}  // namespace

std::vector<Column> load_columns() {
  using K = ColumnKind;
  return {
      {"kind", K::text, "second: one second of one vCPU; total; bucket: of a total's histogram"},
      {"time", K::text, "when it began, UTC"},
      {"vm", K::count, "number of the VM; null in the total of all"},
      {"vcpu", K::count, "vcpu_id; null in a total of more"},
      {"switches", K::count, "CR3 switches that KVM saw (kvm_mmu_new_pgd)"},
      {"hits", K::count, "switches to a root that was cached: no load"},
      {"misses", K::count, "switches that made KVM load a root"},
      {"loads", K::count, "loads of a root (kvm_mmu_load)"},
      {"reset", K::count, "loads because the vCPU's paging was set up anew"},
      {"obsolete", K::count,
       "loads because the root was obsolete: a memslot went, or it was zapped"},
      {"unload", K::count, "loads because all roots were dropped otherwise"},
      {"pdptrs", K::count, "loads because the guest's PAE entries changed"},
      {"unknown", K::count, "loads without a cause that was seen"},
      {"low", K::count, "loads per second of this bucket, from"},
      {"high", K::count, "and below"},
      {"seconds", K::count, "how many seconds had so many"},
      {"of", K::count, "of how many"},
  };
}

View load_view() {
  return {.block = block};
}

}  // namespace kvmscope::tracing
