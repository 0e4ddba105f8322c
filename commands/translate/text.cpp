// A translation for people: one line for each side.

#include "commands/translate/translation.hpp"

namespace kvmscope {
namespace {

std::string steps_text(const RecordView& record, std::string_view field,
                       const std::vector<Column>& columns, std::string_view entry) {
  std::string text;
  for (const Record& row : record.records(field)) {
    const RecordView step(columns, row);
    text += fmt::format("{}[{}] {}  ", step.text("level"), step.text("index"), step.text(entry));
  }
  return text;
}

std::string size_text(std::uint64_t bytes) {
  return fmt::format("{} KiB", bytes / 1024);
}

std::string guest_text(const RecordView& record) {
  std::string text = steps_text(record, "guest_steps", walk_step_columns(), "entry");
  if (record.is_lost("guest_state")) return text + record.text("guest_state");
  if (!record.is_null("guest_fault")) return text + "→ faults: " + record.text("guest_fault");
  text += "→ gpa " + record.text("gpa");
  if (const std::uint64_t bytes = record.number("guest_page_bytes"); bytes != 0)
    text += fmt::format(", {}, {}", size_text(bytes), record.text("guest_access"));
  return text;
}

std::string virtual_block(const RecordView& record) {
  return fmt::format("gva {} of vCPU {}: {} paging, cr3 {}\n  guest  {}\n  root   {}\n",
                     record.text("gva"), record.text("vcpu"), record.text("paging"),
                     record.text("cr3"), guest_text(record), root_text(record));
}

std::string host_text(const RecordView& record) {
  if (record.is_lost("host_steps")) return record.text("host_steps");
  const std::string text = steps_text(record, "host_steps", walk_step_columns(), "entry");
  if (record.is_lost("hpa")) return text + record.text("hpa");
  if (record.is_null("hpa")) return text + "→ " + record.text("host_state");
  const bool prot_none = record.text("host_state") == "prot_none";
  return text + fmt::format("→ hpa {}, {}{}", record.text("hpa"),
                            size_text(record.number("host_page_bytes")),
                            prot_none ? ", prot_none" : "");
}

std::string sptes_text(const RecordView& record) {
  if (record.is_lost("sptes")) return fmt::format("  SPTEs  {}\n", record.text("sptes"));
  std::string text;
  for (const Record& row : record.records("sptes")) {
    const RecordView spte(mapping_columns(), row);
    if (spte.is_lost("sp")) {
      text += fmt::format("  SPTE   at {}  {}\n", spte.text("spte_address"), spte.text("sp"));
      continue;
    }
    const bool has_paths = !spte.is_lost("paths") && !spte.words("paths").empty();
    text += fmt::format("  SPTE   {} at {}  → hpa {}  {}\n", spte.text("spte"),
                        spte.text("spte_address"), spte.text("hpa"),
                        has_paths ? spte.words("paths").front() : spte.text("paths"));
  }
  return text.empty() ? "  SPTE   none\n" : text;
}

std::string verdict(const RecordView& record) {
  if (record.is_lost("agree")) return "not known";
  if (record.is_null("agree")) return "no SPTE maps it: KVM looks it up at the next access";
  return record.flag("agree") ? "both agree" : "they DISAGREE";
}

std::string physical_block(const RecordView& record) {
  if (record.is_null("slot"))
    return fmt::format("gpa {} is in no memslot: an access to it is MMIO\n", record.text("gpa"));
  return fmt::format("gpa {} = gfn {} → memslot {} → hva {}\n  host   {}\n{}  {}\n",
                     record.text("gpa"), record.text("gfn"), record.text("slot"),
                     record.text("hva"), host_text(record), sptes_text(record), verdict(record));
}

}  // namespace

std::string root_text(const RecordView& record) {
  if (record.is_null("root")) return "none that has this address";
  if (record.is_lost("root_steps")) return record.text("root") + "  " + record.text("root_steps");
  const std::string text =
      fmt::format("{}  {}→ ", record.text("root"),
                  steps_text(record, "root_steps", root_step_columns(), "spte"));
  if (!record.is_null("root_hpa")) return text + "hpa " + record.text("root_hpa");
  const RecordView last(root_step_columns(), record.records("root_steps").back());
  return text + last.text("kind");
}

std::string translation_text(const RecordView& record) {
  std::string text = record.is_null("gva") ? "" : virtual_block(record);
  if (!record.is_null("gpa")) text += physical_block(record);
  return text;
}

}  // namespace kvmscope
