// layout: which spelling each kernel field resolved to; works on debug files alone, and saves it.

#include "core/kvm/layout.hpp"

#include "commands/catalogue.hpp"
#include "commands/output/output.hpp"
#include "commands/shell/session.hpp"
#include "core/kernel/kernel.hpp"
#include "core/kvm/all_fields.hpp"
#include "core/kvm/make_pack.hpp"

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

constexpr mode_t everyone_reads = 0644;

// Without a target vmlinux's debug file is asked.
UsualSymbols symbols_of(Session& session) {
  if (session.uses_target()) return session.kernel().usual_symbols();
  const DebugFile* vmlinux = session.debug_info().file("vmlinux");
  return vmlinux != nullptr ? usual_symbols(vmlinux->symbols()) : UsualSymbols{};
}

void save_layout(Session& session, const kvm::AllFields& fields, const std::string& path,
                 RowSink& rows) {
  const std::unique_ptr<ReplacedFile> file = session.files_ahead().replace(path, everyone_reads);
  std::string vmlinux = session.uses_target() ? session.kernel().build_id("vmlinux") : "";
  const LayoutPack pack =
      kvm::make_pack(session.debug_info(), fields, std::move(vmlinux), symbols_of(session));
  Output out(file->fd());
  const std::string text = format_pack(pack);
  parse_pack(text, path);  // what nobody could read is not written
  with_context([&] { return fmt::format("writing {}", path); },
               [&] { out.write(text), out.flush(); });
  file->commit();
  rows.footer(fmt::format("{} structures in {} bytes, for vmlinux of build-id {}",
                          pack.structures.size(), text.size(), pack.build_ids.at("vmlinux")));
}

void show_layout(Session& session, const Arguments& args, RowSink& rows) {
  const DebugInfo& debug = session.debug_info();
  if (debug.layout() == nullptr && debug.file("kvm") == nullptr && debug.file("vmlinux") == nullptr)
    debug.need("kvm");
  const std::optional<std::string> path = args.option("--save");
  // Compares kvm's build with that of the debug file, and has no use for one that does not fit.
  if (path && session.uses_target()) session.kernel().modules();
  const kvm::AllFields all(debug.layout_types());
  if (path) return save_layout(session, all, *path, rows);
  std::uint64_t found = 0, absent = 0, missing = 0;
  for (const FieldGroup* group : all.groups())
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
          "every kernel should have.\n--save writes all that kvmscope's own commands need to know "
          "of this build to a layout pack:\na small file that stands in for the debug files "
          "(-s FILE) wherever this kernel runs.",
      .needs = Needs::debug_info,
      .open_ahead =
          [](Session& session, const Arguments& args) {
            if (const auto path = args.option("--save"))
              session.files_ahead().replace_later(*path, everyone_reads);
          },
      .options = {{"--missing", "", ArgumentKind::text, "only fields that were not found"},
                  {"--save", "FILE", ArgumentKind::data_file, "write a layout pack instead"}},
      .columns = columns_of(fields()),
      .view = {.table = {column("STRUCTURE", "structure"), column("FIELD", "field"),
                         column("SPELLING", "spelling"), number_column("OFFSET", "offset"),
                         number_column("SIZE", "size"), number_column("BIT", "bit_offset"),
                         number_column("BITS", "bit_size"), column("SOURCE", "source"),
                         column("STATUS", "status")}},
      .examples = {"layout", "layout --missing", "layout -f csv", "layout --save 6.1.pack"},
      .run = show_layout,
  };
}

}  // namespace kvmscope
