// metrics: the summary in Prometheus' text format, for node_exporter's textfile collector.

#include <array>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "commands/catalogue.hpp"
#include "commands/output/escape.hpp"
#include "commands/shell/session.hpp"
#include "commands/snapshot/destination.hpp"
#include "commands/snapshot/reader.hpp"

namespace kvmscope {
namespace {

constexpr mode_t everyone_reads = 0644;  // node_exporter is another user
constexpr std::size_t most_vms = 4096;   // with samples of their own

// What is shown of a VM.
struct VmNumbers {
  std::string id;
  std::map<std::string, std::string, std::less<>> texts;
  std::map<std::string, std::uint64_t, std::less<>> numbers;  // "vm.vcpus", "page_counts.unsync"
  std::map<std::uint64_t, std::uint64_t> pages;               // by level
};

struct Summary {
  std::map<std::string, VmNumbers> vms;
  std::uint64_t count = 0;  // of all VMs
  bool incomplete = false;
};

// A metric about each VM: `number` names a member of VmNumbers::numbers.
struct Metric {
  std::string_view name, type, help, number;
};
constexpr std::array metrics_of_vm = {
    Metric{"kvmscope_vm_vcpus", "gauge", "vCPUs of the VM that are online.", "vm.vcpus"},
    Metric{"kvmscope_vm_memslots", "gauge", "Memslots of the VM, KVM's private ones too.",
           "vm.slots"},
    Metric{"kvmscope_vm_shadow_pages_used", "gauge",
           "Shadow pages as KVM counts them (n_used_mmu_pages).", "vm.mmu_pages_used"},
    Metric{"kvmscope_vm_shadow_pages_limit", "gauge",
           "Shadow pages that KVM allows the VM (n_max_mmu_pages).", "vm.mmu_pages_max"},
    Metric{"kvmscope_vm_page_table_bytes", "gauge",
           "Memory of the shadow pages' and the TDP MMU's tables.", "page_counts.bytes"},
    Metric{"kvmscope_vm_root_pages", "gauge", "Shadow pages in use as a root.",
           "page_counts.roots"},
    Metric{"kvmscope_vm_unsync_pages", "gauge",
           "Shadow pages whose guest tables may be written without KVM's knowledge.",
           "page_counts.unsync"},
    Metric{"kvmscope_vm_invalid_pages", "gauge", "Shadow pages that wait to be freed.",
           "page_counts.invalid"},
    Metric{"kvmscope_vm_obsolete_pages", "gauge", "Shadow pages of an older generation.",
           "page_counts.obsolete"},
    Metric{"kvmscope_vm_mmu_invalidations_total", "counter",
           "Invalidations by the host's memory management (mmu_invalidate_seq).",
           "vm.invalidate_seq"},
    Metric{"kvmscope_vm_mmu_invalidations_running", "gauge", "Invalidations that are under way.",
           "vm.invalidate_in_progress"},
};

// Text from the target in a label: harmless on a terminal, and quoted as the format wants it.
std::string label(std::string_view text) {
  std::string quoted;
  for (const char c : escape_text(text)) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted;
}

std::string head(std::string_view name, std::string_view type, std::string_view help) {
  return fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

void add_record(Summary& summary, std::string_view id, std::string_view section,
                const snapshots::Fields& fields) {
  if (section == "vm") ++summary.count;
  if (section == "incomplete") summary.incomplete = true;
  if (summary.vms.size() == most_vms && !summary.vms.contains(std::string(id))) return;
  VmNumbers& vm = summary.vms[std::string(id)];
  vm.id = id;
  if (section == "by_role") vm.pages[fields.number("level")] += fields.number("pages");
  if (section == "vm")
    for (const char* text : {"comm", "mmu_mode"}) vm.texts[text] = fields.text(text);
  for (const Metric& metric : metrics_of_vm) {
    const std::size_t dot = metric.number.find('.');
    if (metric.number.substr(0, dot) != section) continue;
    if (const auto number = fields[metric.number.substr(dot + 1)].number())
      vm.numbers.emplace(metric.number, *number);
  }
}

void write_host(const Summary& summary, ByteWriter& out) {
  out.write(head("kvmscope_taken_timestamp_seconds", "gauge", "When KVM was looked at."));
  out.write(fmt::format("kvmscope_taken_timestamp_seconds {}\n", std::time(nullptr)));
  out.write(head("kvmscope_incomplete", "gauge",
                 "Whether something could not be read, so that samples are missing or too low."));
  out.write(fmt::format("kvmscope_incomplete {}\n", summary.incomplete ? 1 : 0));
  out.write(head("kvmscope_vms", "gauge", "VMs on the host."));
  out.write(fmt::format("kvmscope_vms {}\n", summary.count));
}

void write_vms(const Summary& summary, ByteWriter& out) {
  if (summary.vms.empty()) return;
  out.write(head("kvmscope_vm_info", "gauge", "The VM: its owner's name and its kind of MMU."));
  for (const auto& [id, vm] : summary.vms)
    out.write(fmt::format("kvmscope_vm_info{{vm=\"{}\",comm=\"{}\",mmu=\"{}\"}} 1\n", label(id),
                          label(vm.texts.at("comm")), label(vm.texts.at("mmu_mode"))));
  out.write(head("kvmscope_vm_pages", "gauge",
                 "Shadow pages and those of the TDP MMU, by level; 1 maps 4 KiB pages."));
  constexpr std::uint64_t highest = 5;
  for (const auto& [id, vm] : summary.vms)
    for (std::uint64_t level = 1; level <= highest; ++level)
      if (const auto found = vm.pages.find(level); found != vm.pages.end())
        out.write(fmt::format("kvmscope_vm_pages{{vm=\"{}\",level=\"{}\"}} {}\n", label(id), level,
                              found->second));
  for (const Metric& metric : metrics_of_vm) {
    out.write(head(metric.name, metric.type, metric.help));
    for (const auto& [id, vm] : summary.vms)
      if (const auto found = vm.numbers.find(metric.number); found != vm.numbers.end())
        out.write(fmt::format("{}{{vm=\"{}\"}} {}\n", metric.name, label(id), found->second));
  }
}

void show_metrics(Session& session, const Arguments& args, RowSink& rows) {
  snapshots::Taken taken = snapshots::take_in_memory(session, {});
  Summary summary;
  summary.incomplete = taken.outcome.status != 0;
  read_snapshot(taken.source, {.member = [](std::string_view, const snapshots::Scalar&) {},
                               .record =
                                   [&](std::string_view vm, std::string_view section,
                                       const snapshots::Fields& fields) {
                                     add_record(summary, vm, section, fields);
                                   }});
  snapshots::write_result(session, args, everyone_reads, [&](ByteWriter& out) {
    write_host(summary, out);
    write_vms(summary, out);
  });
  report(session, taken.outcome, rows);
}

}  // namespace

Command metrics() {
  return {
      .names = {"metrics"},
      .summary = "write a summary in Prometheus' text format",
      .details =
          "For node_exporter's textfile collector: with -o the file is replaced in one step, as "
          "`snapshot`\n"
          "does, and everybody may read it. Labels are the VM's id and the level of its pages; a "
          "value that\n"
          "could not be read has no sample, and kvmscope_incomplete is 1.",
      .open_ahead = snapshots::open_result_ahead(everyone_reads),
      .options = {snapshots::result_option()},
      .examples = {"metrics", "metrics -o /var/lib/prometheus/node-exporter/kvmscope.prom"},
      .run = show_metrics,
  };
}

}  // namespace kvmscope
