// info: the target, its kernel, the debug files in use, what is missing and how to get it.

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/steady.hpp"
#include "core/kvm/kvm.hpp"
#include "core/types/type_modules.hpp"

namespace kvmscope {
namespace {

class Report {
 public:
  explicit Report(RowSink& rows) : rows_(rows) {}

  void section(std::string name) { section_ = std::move(name); }
  void add(std::string_view name, Value value) {
    rows_.add({{section_, std::string(name), std::move(value)}});
  }

 private:
  RowSink& rows_;
  std::string section_;
};

void report_target(const Kernel& kernel, const std::string& path, Report& report) {
  const Dump& dump = kernel.dump();
  report.section("target");
  report.add("path", path);
  report.add("format", dump.format());
  std::uint64_t bytes = 0;
  for (const PhysRange& range : dump.ranges()) bytes += range.end - range.start;
  report.add("memory", fmt::format("{} MiB in {} ranges", bytes >> 20, dump.ranges().size()));
  for (const std::string& note : dump.notes()) report.add("note", note);
}

void report_kernel(const Kernel& kernel, Report& report) {
  const VmCoreInfo& info = kernel.vmcoreinfo();
  report.section("kernel");
  report.add("release", info.release());
  report.add("build-id", info.build_id().empty() ? Value{} : Value{info.build_id()});
  report.add("page table levels", fmt::format("{}", info.paging_levels()));
  report.add("page table root", fmt::format("{:#x}", info.page_table_root().value));
  report.add("KASLR offset", fmt::format("{:#x}", info.kernel_offset()));
  const std::string symbols(kernel.symbol_origin());
  report.add("symbols from", symbols.empty() ? Value{} : Value{symbols});
  if (symbols.empty()) {
    report.add("missing", "symbols: give vmlinux or System.map with -s");
    return;
  }
  report.add("direct map", value_or_lost([&]() -> Value {
               return fmt::format("{:#x}", kernel.direct_map({0}).value);
             }));
}

void report_modules(const Kernel& kernel, Report& report) {
  report.section("modules");
  report.add("loaded", fmt::format("{}", kernel.modules().size()));
  for (const std::string_view name : kvm_modules) {
    const Module* module = kernel.module(name);
    if (module == nullptr) continue;
    report.add(name, value_or_lost([&]() -> Value {
                 const std::string id = kernel.build_id(name);
                 return fmt::format("at {:#x}, build-id {}", module->text.value,
                                    id.empty() ? "not found" : id);
               }));
  }
}

void report_debug_info(const DebugInfo& debug, bool has_types, Report& report) {
  report.section("debug info");
  const LayoutSource* layout = debug.layout();
  report.add("layout", layout != nullptr ? "from " + layout->name()
                       : has_types       ? "from debug files"
                                         : "not at hand");
  for (const auto& [module, search] : debug.searches()) {
    if (search.file == nullptr) {
      report.add(module, "not at hand");
      continue;
    }
    const std::string& id = search.file->build_id();
    report.add(module,
               fmt::format("{} (build-id {}){}", search.file->path(), id.empty() ? "none" : id,
                           search.file->has_types() ? "" : ", without types"));
  }
  const Types::Found node = debug.layout_types().find(TypeKind::structure, "xa_node");
  report.add("struct xa_node", fmt::format("from {}", node.origin));
}

void report_kvm(Session& session, Report& report, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  std::uint64_t count = 0;
  settle_or_note(kvm.kernel(), rows, "VMs may be missing", [&] {
    count = 0;
    kvm.each_vm_address([&](VirtAddr) { ++count; });
  });
  report.add("VMs", fmt::format("{}", count));
  report.add("tdp_enabled", kvm.flag("tdp_enabled") ? "yes" : "no");
  report.add("SPTE format", kvm.spte_format().ept() ? "EPT" : "NPT / legacy");
}

// "root", "uid 1000"
std::string user_name(uid_t user) {
  if (user == 0) return "root";
  return user == nobody.uid ? "nobody" : fmt::format("uid {}", user);
}

void report_process(Session& session, Report& report) {
  report.section("process");
  report.add("runs as", user_name(present_user().uid));
  const bool reads_only = session.output_files().list_closed();
  report.add("root", reads_only               ? "given up; files can be opened for reading only"
                     : session.gave_up_root() ? "given up"
                     : has_privileges()       ? "kept"
                                              : "not needed");
}

const std::vector<FieldOf<OpenedFile>>& footprint_fields() {
  using K = ColumnKind;
  using File = const OpenedFile&;
  static const std::vector<FieldOf<OpenedFile>> all = {
      {{"path", K::text, "as it was opened"}, [](File f) -> Value { return f.path; }},
      {{"how", K::text, "read, write or append"},
       [](File f) -> Value { return std::string(name(f.what)); }},
      {{"user", K::text, "who kvmscope was at that time: root, nobody, uid N"},
       [](File f) -> Value { return user_name(f.user); }},
      {{"uid", K::count, "the same as a number"},
       [](File f) -> Value { return std::uint64_t{f.user}; }},
  };
  return all;
}

// Opens what any command would, so that the list does not depend on which ran before.
void show_footprint(Session& session, RowSink& rows) {
  session.open_all();
  if (session.open_log() != nullptr)
    for (const OpenedFile& file : session.open_log()->files())
      rows.add(make_record(footprint_fields(), file));
  rows.footer(
      "Not listed: folders, what shared libraries open for themselves (libraries, terminal and "
      "locale data), and what trace opens below tracefs: it says before what it adds there.");
}

// Goes as far as what is at hand allows, and says what would take it further.
void show_info(Session& session, const Arguments& args, RowSink& rows) {
  if (args.has("--footprint")) return show_footprint(session, rows);
  const Kernel& kernel = session.kernel();
  const DebugInfo& debug = kernel.debug_info();
  Report report(rows);
  report_target(kernel, session.target_path(), report);
  report_kernel(kernel, report);
  const bool has_files = debug.file("kvm") != nullptr || debug.file("vmlinux") != nullptr;
  const bool has_types = has_files || debug.layout() != nullptr;
  const bool complete = has_types && !kernel.symbol_origin().empty() &&
                        rows.attempt([] { return std::string("modules are not known"); },
                                     [&] { report_modules(kernel, report); });
  report_debug_info(debug, has_types, report);
  if (!has_types)
    report.add("missing", debug.how_to_get("kvm"));
  else if (debug.btf() != nullptr)
    report.add("missing", fmt::format("debug files: {}", debug.btf()->limits()));
  else if (!has_files)
    report.add("missing",
               "debug files: print, type, list, trace unsync and trace at need those of kvm");
  report.section("kvm");
  if (!complete)
    report.add("state", "not known");
  else if (kernel.module("kvm") == nullptr && !kernel.find_symbol("vmlinux", "vm_list"))
    report.add("state", "not loaded");
  else
    report_kvm(session, report, rows);
  report_process(session, report);
}

}  // namespace

Command info() {
  using K = ColumnKind;
  return {
      .names = {"info"},
      .summary = "show the target, its kernel, the debug files in use and what is missing",
      .options = {{"--footprint", "", ArgumentKind::text,
                   "each file that kvmscope opened, how and as whom"}},
      .columns = {{"section", K::text, "target, kernel, modules, debug info, kvm, process"},
                  {"name", K::text, "what the value is"},
                  {"value", K::text, ""}},
      .view = {.table = {column("SECTION", "section"), column("NAME", "name"),
                         column("VALUE", "value")}},
      .modes = {{.option = "--footprint",
                 .columns = columns_of(footprint_fields()),
                 .view = {.table = {column("HOW", "how"), column("AS", "user"),
                                    column("FILE", "path")}}}},
      .keys = {"section", "name"},
      .examples = {"info", "info -f json", "info --footprint"},
      .run = show_info,
  };
}

}  // namespace kvmscope
