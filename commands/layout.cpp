// layout: which spelling each kernel field resolved to; works on debug files alone.

#include "core/kvm/layout.hpp"

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "core/kernel/debug_info.hpp"
#include "core/kernel/modules.hpp"
#include "core/kernel/tasks.hpp"

namespace kvmscope {
namespace {

std::string_view status(const Resolution& resolution) {
  if (resolution.field.present()) return resolution.origin == "built-in" ? "built-in" : "found";
  return resolution.required ? "missing" : "absent";
}

const std::vector<FieldOf<Resolution>>& fields() {
  using K = ColumnKind;
  using R = const Resolution&;
  static const std::vector<FieldOf<Resolution>> all = {
      {{"structure", K::text, "the struct or union"},
       [](R r) -> Value { return std::string(r.field.structure); }},
      {{"field", K::text, "the newest spelling"},
       [](R r) -> Value { return std::string(r.spellings.front()); }},
      {{"spelling", K::text, "the one that this kernel has"},
       [](R r) -> Value {
         return r.field.present() ? Value{std::string(r.field.spelling)} : Value{};
       }},
      {{"offset", K::count, "bytes from the start of the structure"},
       [](R r) -> Value { return r.field.present() ? Value{r.field.offset} : Value{}; }},
      {{"size", K::count, "bytes"},
       [](R r) -> Value { return r.field.present() ? Value{r.field.size} : Value{}; }},
      {{"bit_offset", K::count, "of a bit field, inside its bytes"},
       [](R r) -> Value { return r.field.bit_size != 0 ? Value{r.field.bit_offset} : Value{}; }},
      {{"bit_size", K::count, "of a bit field"},
       [](R r) -> Value { return r.field.bit_size != 0 ? Value{r.field.bit_size} : Value{}; }},
      {{"type", K::text, "as the debug info declares it"},
       [](R r) -> Value { return r.field.present() ? Value{type_name(*r.field.type)} : Value{}; }},
      {{"source", K::text, "kvm, vmlinux or built-in"},
       [](R r) -> Value { return r.origin.empty() ? Value{} : Value{std::string(r.origin)}; }},
      {{"status", K::text, "found, built-in, absent (some kernels lack it) or missing"},
       [](R r) -> Value { return std::string(status(r)); }},
  };
  return all;
}

void show_layout(Session& session, const Arguments& args, RowSink& rows) {
  const DebugInfo& debug = session.debug_info();
  if (debug.file("kvm") == nullptr && debug.file("vmlinux") == nullptr) debug.need("kvm");
  const Types& types = session.types();
  const kvm::Layout layout(types);
  const ModuleFields module(types);
  const ModKallsymsFields kallsyms(types);
  const TaskFields task(types);
  const MmFields mm(types);
  const PidFields pid(types);
  const CssSetFields css_set(types);
  const CgroupFields cgroup(types);
  const KernfsNodeFields kernfs(types);
  std::vector<const FieldGroup*> groups = layout.groups();
  groups.insert(groups.end(), {&module, &kallsyms, &task, &mm, &pid, &css_set, &cgroup, &kernfs});
  std::uint64_t found = 0, absent = 0, missing = 0;
  for (const FieldGroup* group : groups)
    for (const Resolution& resolution : group->resolutions()) {
      const bool is_missing = !resolution.field.present() && resolution.required;
      found += resolution.field.present();
      absent += !resolution.field.present() && !resolution.required;
      missing += is_missing;
      if (args.has("--missing") && !is_missing) continue;
      rows.add(make_record(fields(), resolution));
    }
  rows.footer(fmt::format("{} fields found, {} absent that some kernels lack, {} missing", found,
                          absent, missing));
  if (missing != 0) rows.set_status(exit_status(ErrorKind::corrupt));
}

}  // namespace

Command layout() {
  return {
      .names = {"layout"},
      .summary = "show which spelling each kernel field resolved to",
      .details =
          "Works on debug files alone (kvmscope -s kvm.ko layout), so that a new kernel can "
          "be checked\nwithout a dump. Ends with status 5 when a field is missing that "
          "every kernel should have.",
      .needs = Needs::debug_info,
      .options = {{"--missing", "", ArgumentKind::text, "only fields that were not found"}},
      .columns = columns_of(fields()),
      .view = {.table = {column("STRUCTURE", "structure"), column("FIELD", "field"),
                         column("SPELLING", "spelling"), number_column("OFFSET", "offset"),
                         number_column("SIZE", "size"), number_column("BIT", "bit_offset"),
                         number_column("BITS", "bit_size"), column("SOURCE", "source"),
                         column("STATUS", "status")}},
      .examples = {"layout", "layout --missing", "layout -f csv"},
      .run = show_layout,
  };
}

}  // namespace kvmscope
