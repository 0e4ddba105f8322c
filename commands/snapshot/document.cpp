#include "commands/snapshot/document.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/ranges.h>

#include "commands/levels.hpp"
#include "commands/output/renderer.hpp"
#include "commands/page_walk.hpp"
#include "commands/shell/caught.hpp"
#include "commands/snapshot/page_counts.hpp"
#include "commands/snapshot/section.hpp"
#include "commands/snapshot/trees.hpp"
#include "commands/targets.hpp"
#include "core/kernel/uts_name.hpp"

namespace kvmscope::snapshots {
namespace {

constexpr std::array<std::string_view, 4> depths = {"summary", "roots", "pages", "trees"};

// A VM as `vms` tells it.
struct VmRecord {
  VirtAddr address;
  std::string id;
  Record record;
};

class Document {
 public:
  Document(Session& session, const Wanted& wanted, ByteWriter& out)
      : session_(session), wanted_(wanted), document_(out), sections_(session, document_) {}

  Outcome write() {
    const std::vector<VmRecord> vms = find_vms();
    const Words incomplete = sections_.take_incomplete();
    document_.object();
    write_head();
    document_.object("vms");
    for (const VmRecord& vm : vms) write_vm(vm);
    document_.end();
    const Outcome& outcome = sections_.outcome();
    document_.member("incomplete", incomplete);
    document_.member("notes", Words(outcome.notes));
    document_.member("truth", truth(outcome));
    document_.finish();
    return outcome;
  }

 private:
  std::string truth(const Outcome& outcome) const {
    if (!session_.is_live()) return "dump";
    return std::string(outcome.torn ? torn_text : stable_text);
  }

  void write_head() {
    document_.member("schema", std::string(schema));
    document_.member("depth", std::string(name(wanted_.depth)));
    document_.member("time", utc_time());
    document_.member("target", session_.target_path());
    const auto uts = if_readable([&] { return read_uts_name(session_.kernel()); });
    const std::optional<UtsName> name = uts.value_or(std::nullopt);
    write_host(name);
    write_kernel(name);
  }

  void write_host(const std::optional<UtsName>& uts) {
    document_.object("host");
    document_.member("name", uts ? Value{uts->nodename} : Value{});
    document_.member("machine", uts ? Value{uts->machine} : Value{});
    document_.end();
  }

  void write_kernel(const std::optional<UtsName>& uts) {
    const Kernel& kernel = session_.kernel();
    document_.object("kernel");
    document_.member("release", kernel.vmcoreinfo().release());
    document_.member("version", uts ? Value{uts->version} : Value{});
    document_.object("build_ids");
    for (const std::string_view module : {"vmlinux", "kvm", "kvm_amd", "kvm_intel"}) {
      if (module != "vmlinux" && kernel.module(module) == nullptr) continue;
      document_.member(module, value_or_lost([&]() -> Value {
                         const std::string id = module == "vmlinux" ? kernel.vmcoreinfo().build_id()
                                                                    : kernel.build_id(module);
                         return id.empty() ? Value{} : Value{id};
                       }));
    }
    document_.end();
    document_.end();
  }

  std::vector<VmRecord> find_vms() {
    const std::optional<VirtAddr> only = only_address();
    std::vector<VmRecord> vms;
    const auto take = [&](Record record, const std::vector<Column>& columns) {
      const RecordView view(columns, record);
      const VirtAddr address{view.number("kvm")};
      vm_columns_ = columns;
      const bool named = !view.is_null("id") && !view.is_lost("id");
      const std::string id = named ? view.text("id") : "";
      if (!only || *only == address) vms.push_back({address, id, std::move(record)});
    };
    sections_.records("vms", "vms", take);
    return vms;
  }

  std::optional<VirtAddr> only_address();
  std::string key_of(const VmRecord& vm);
  void write_vm(const VmRecord& vm);
  void write_pages(const kvm::Vm* vm);

  Session& session_;
  const Wanted& wanted_;
  JsonDocument document_;
  Sections sections_;
  std::vector<Column> vm_columns_;
  std::set<std::string> keys_;
};

// Of the one VM that is wanted. Throws Error{usage} when there is none of that name.
std::optional<VirtAddr> Document::only_address() {
  std::optional<VirtAddr> address;
  std::optional<Error> wrong;
  if (!wanted_.vm.empty())
    sections_.quietly("vms", [&](RowSink& rows) {
      wrong = caught([&] { address = find_vm(session_.kvm(), wanted_.vm, rows).address; });
    });
  if (wrong) throw Error(*wrong);
  return address;
}

// By its id, unless it has none or another VM claims the same one.
std::string Document::key_of(const VmRecord& vm) {
  const std::string key = vm.id.empty() ? fmt::format("{:#x}", vm.address.value) : vm.id;
  if (keys_.insert(key).second) return key;
  return fmt::format("{}@{:#x}", key, vm.address.value);
}

void Document::write_vm(const VmRecord& vm) {
  document_.object(key_of(vm));
  document_.record("vm", vm.record, vm_columns_);
  const std::string address = fmt::format("{:#x}", vm.address.value);
  for (const std::string_view command : {"vcpus", "roots", "slots"})
    sections_.list_of(command, fmt::format("{} {}", command, address));
  const auto index = static_cast<unsigned>(RecordView(vm_columns_, vm.record).number("vm"));
  std::optional<kvm::Vm> now;
  sections_.quietly("vm", [&](RowSink&) { now.emplace(session_.kvm().vm_at(vm.address, index)); });
  if (now && wanted_.depth >= Depth::roots)
    sections_.list("levels", level_columns(), [&](RowSink& rows) {
      count_levels(session_, roots_of(session_.kvm(), *now, rows), rows);
    });
  write_pages(now ? &*now : nullptr);
  if (now && wanted_.depth >= Depth::trees) write_trees(session_, *now, sections_);
  document_.member("incomplete", sections_.take_incomplete());
  document_.end();
}

void Document::write_pages(const kvm::Vm* vm) {
  if (vm == nullptr) return document_.member("page_counts", {});
  PageCounts counts;
  const bool listed = wanted_.depth >= Depth::pages;
  PageWalk walk{.vm = *vm, .tdp = true, .quiet = !listed};
  walk.count = [&](const kvm::ShadowPage* page, bool obsolete) { counts.add(page, obsolete); };
  const auto run = [&](RowSink& rows) {
    if (listed)
      walk.make = [&rows](const PageItem& item) { rows.add(make_record(page_fields(), item)); };
    walk_pages(session_, walk, rows);
  };
  if (listed)
    sections_.list("pages", columns_of(page_fields()), run);
  else
    sections_.quietly("page_counts", run);
  document_.object("page_counts");
  document_.members(counts.record(), PageCounts::columns());
  document_.list("by_role");
  for (const Record& record : counts.by_role())
    document_.record({}, record, PageCounts::role_columns());
  document_.end();
  document_.end();
}

}  // namespace

std::string_view name(Depth depth) {
  return depths.at(static_cast<std::size_t>(depth));
}

std::string depth_names() {
  return "summary, roots, pages or trees";
}

Depth parse_depth(std::string_view text) {
  const auto found = std::find(depths.begin(), depths.end(), text);
  if (found == depths.end())
    throw_error(ErrorKind::usage, "no depth '{}'; there are {}", text, depth_names());
  return static_cast<Depth>(found - depths.begin());
}

Outcome write_document(Session& session, const Wanted& wanted, ByteWriter& out) {
  return Document(session, wanted, out).write();
}

}  // namespace kvmscope::snapshots
