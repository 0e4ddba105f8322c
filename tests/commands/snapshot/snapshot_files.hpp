// Snapshots in files, written by hand for tests of those who read them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/fake_kernel_run.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {

// One VM, 95-4, with one vCPU that runs on a root and keeps another one, and a tree of two runs.
inline nlohmann::ordered_json small_snapshot() {
  return nlohmann::ordered_json::parse(R"({
    "depth": "trees", "time": "2026-01-01T00:00:00Z", "target": "vmcore",
    "host": {"name": "host", "machine": "x86_64"},
    "kernel": {"release": "6.1", "version": null, "build_ids": {"vmlinux": "aa"}},
    "vms": {"95-4": {
      "vm": {"id": "95-4", "kvm": "0xa000", "comm": "qemu"},
      "vcpus": [{"vcpu": 0, "paging": "4-level", "requests": ["NMI", "SMI"]}],
      "roots": [
        {"vcpu": 0, "mmu": "root_mmu", "slot": "current", "valid": true, "pgd": "0x1000",
         "hpa": "0x10000", "level": 4, "gfn": "0x1", "role_text": "8-byte q0 wux nxe ad"},
        {"vcpu": 0, "mmu": "root_mmu", "slot": "prev0", "valid": true, "pgd": "0x2000",
         "hpa": "0x20000", "level": 4, "gfn": "0x2", "role_text": "8-byte q0 wux nxe ad"}],
      "slots": [],
      "pages": [
        {"sp": "0xb000", "level": 4, "gfn": "0x1", "role": "0x4", "unsync": false,
         "invalid": false, "obsolete": false},
        {"sp": "0xc000", "level": 1, "gfn": "0x3", "role": "0x1", "unsync": false,
         "invalid": false, "obsolete": false}],
      "page_counts": {"pages": 2, "bytes": 8192, "unreadable": 0,
                      "by_role": [{"level": 4, "pages": 1}, {"level": 1, "pages": 1}]},
      "trees": [{"name": "0.0", "domain": "gpa", "gfn": "0x0", "role_text": "direct",
                 "runs": [{"first": "0x0", "last": "0x3fff", "level": 1, "access": "rwx-",
                           "dirty": true},
                          {"first": "0x200000", "last": "0x5fffff", "level": 2, "access": "rwx-",
                           "dirty": false}], "leaves": 6, "complete": true}],
      "incomplete": []}},
    "incomplete": [], "notes": [], "truth": "dump"})");
}

// With the schema in front.
inline std::string snapshot_text(const nlohmann::ordered_json& document,
                                 const std::string& schema = "kvmscope.snapshot/1") {
  return R"({"schema": ")" + schema + "\", " + document.dump().substr(1);
}

class SnapshotFiles {
 public:
  std::string add(const std::string& name, const nlohmann::ordered_json& document) const {
    return add_text(name, snapshot_text(document));
  }
  std::string add_text(const std::string& name, std::string_view text) const {
    tree_.write(name, text);
    return path(name);
  }
  std::string path(const std::string& name) const { return tree_.path() + "/" + name; }

 private:
  TemporaryTree tree_;
};

}  // namespace kvmscope
