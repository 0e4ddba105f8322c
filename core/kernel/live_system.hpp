// What the kernel that runs says about itself in /proc and /sys: symbols, modules, build-ids.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.hpp"
#include "core/kernel/modules.hpp"
#include "core/kernel/proc_kallsyms.hpp"

namespace kvmscope {

class LiveSystem {
 public:
  // `root` has the folders proc and sys: "/". Files that only root may read are opened here and
  // kept open. Throws Error{unavailable} when symbols or modules cannot be seen.
  // `log` must outlive it.
  LiveSystem(std::string root, const std::set<std::string, std::less<>>& wanted_symbols,
             OpenLog* log = nullptr);

  const ProcKallsyms& symbols() const { return *symbols_; }
  // As they were when this was made. The address of struct module and what lies in it is not
  // known; the size is that of the whole module.
  const std::vector<Module>& modules() const { return modules_; }

  // Of "vmlinux" or a loaded module, hex; empty: the kernel does not show it.
  std::string build_id(std::string_view module) const;

  // What has become of kvm's modules since this was made: "", "kvm was unloaded",
  // "kvm_amd was loaded". Where they are loaded again, be it at the same place, nothing that was
  // found in them is true any more.
  std::string changed() const;

 private:
  std::vector<Module> read_modules() const;
  std::string text_of(std::string_view name) const;
  std::string read_build_id(std::string_view module) const;
  std::uint64_t load_number(std::string_view module) const;

  std::string root_;
  OpenLog* log_;
  std::map<std::string, std::string, std::less<>> build_ids_;
  FileDescriptor modules_file_;
  std::vector<Module> modules_;
  std::map<std::string, std::uint64_t, std::less<>> load_numbers_;  // of kvm's modules
  std::unique_ptr<ProcKallsyms> symbols_;
};

}  // namespace kvmscope
