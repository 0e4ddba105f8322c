// A session: the target (opened when something asks for it), settings, variables, history.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/command.hpp"
#include "commands/shell/console.hpp"
#include "commands/shell/files_ahead.hpp"
#include "commands/shell/history.hpp"
#include "commands/shell/layout_cache.hpp"
#include "commands/shell/output_files.hpp"
#include "commands/shell/phases.hpp"
#include "commands/shell/settings.hpp"
#include "core/base/open_log.hpp"
#include "core/base/privilege.hpp"
#include "core/memory/dump.hpp"
#include "core/types/types.hpp"

namespace kvmscope {

class DebugInfo;
class Recording;
class Kernel;
class Object;
namespace kvm {
class Kvm;
}

// What to look at. `main` says how to open it, tests give a dump made in memory.
struct Target {
  std::string path;                             // as the user named it; empty: none given
  std::function<std::unique_ptr<Dump>()> open;  // not called before the first command needs it
  // Nobody named it: the kernel that runs, which only root can open. What works without a target
  // does not open it.
  bool implied = false;
};

class Session {
 public:
  // The finder, the catalogue, the console and the log must outlive the session. `offline_release`:
  // whose debug files are meant when there is no target, as in `uname -r`; may be empty.
  Session(Target target, const DebugFinder& finder, const std::vector<Command>& catalogue,
          Console& console, std::string offline_release = "", OpenLog* log = nullptr);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // The kernel in the target, opened on the first call. Throws Error{unavailable} that says what
  // to do when no target was given or it cannot be opened.
  const Kernel& kernel();
  // Whether the target is the kernel that runs, open or not.
  bool is_live() const;
  // Before each command: of a kernel that runs, opened by now or later, what is used goes to
  // `recording`, limits count from now on, and values are read again. nullptr ends it.
  void start_reading(Recording* recording);
  // Before each command on a kernel that runs: forgets what was found in kvm's modules if they
  // were unloaded or loaded again since. Returns what happened, "" in general.
  std::string renew();
  // While it lives, the kernel that is open stays: renew() throws Error{unavailable} instead of
  // forgetting it.
  class KeptKernel {
   public:
    explicit KeptKernel(Session& session) : session_(session) { ++session_.keepers_; }
    KeptKernel(const KeptKernel&) = delete;
    KeptKernel& operator=(const KeptKernel&) = delete;
    ~KeptKernel() { --session_.keepers_; }

   private:
    Session& session_;
  };
  // Throws Error{unavailable} when kvm is not loaded.
  const kvm::Kvm& kvm();
  // Memory of the target, which is opened by the first read; without a target it has none.
  const VirtReader& memory() const { return *memory_; }
  // Of the target when there is one, else of the debug files alone.
  const DebugInfo& debug_info();
  const Types& types();
  bool has_target() const { return target_.open != nullptr; }
  bool is_open() const;  // by kernel() or open_all()
  // Layouts that were read from debug files go there from now on; it must outlive the session.
  void use_layout_cache(const LayoutCache& cache) { layout_cache_ = &cache; }
  // Whether the target was named, or is in use by now: else what can do without it should.
  bool uses_target() const;
  // As the user named it; empty: none was given.
  const std::string& target_path() const { return target_.path; }

  // Opens every file that a later command may need, for a process that loses the right to. A target
  // that nobody named is not in use by that.
  void open_all();
  // What kernel() throws from now on: the target could not be opened when there was a right to.
  void cannot_open(Error failure) { cannot_open_ = std::move(failure); }

  // $name, without the dollar sign. They refer to the target's memory and types.
  std::map<std::string, Object>& variables();

  // What a long command is doing, for a person who waits: "1.2 million entries". Cheap to call
  // often; shown after a second, on a terminal only.
  void progress(std::string_view text) { console_.messages.progress(text); }

  const std::vector<Command>& catalogue() const { return catalogue_; }
  Settings& settings() { return settings_; }
  History& history() { return history_; }
  Console& console() { return console_; }
  PhaseClock& clock() { return clock_; }
  OutputFiles& output_files() { return output_files_; }
  FilesAhead& files_ahead() { return files_ahead_; }
  // Every file that was opened, for `info --footprint`; nullptr: nobody keeps a list.
  OpenLog* open_log() { return open_log_; }

  // Who this process became when it stopped being root; none: it is who it was.
  const std::optional<User>& gave_up_root() const { return gave_up_root_; }
  void gave_up_root_for(const User& user) { gave_up_root_ = user; }

  // How many scripts run inside each other.
  unsigned& script_depth() { return script_depth_; }

  void quit() { quitting_ = true; }
  bool quitting() const { return quitting_; }

 private:
  struct Opened;
  const Kernel& open_kernel();
  void keep_layout();

  Target target_;
  const std::vector<Command>& catalogue_;
  Console& console_;
  std::string offline_release_;
  Settings settings_;
  History history_;
  OpenLog* open_log_;
  OutputFiles output_files_;
  FilesAhead files_ahead_;
  const LayoutCache* layout_cache_ = nullptr;
  std::optional<User> gave_up_root_;
  std::optional<Error> cannot_open_;
  PhaseClock clock_;
  Recording* recording_ = nullptr;  // of the command that runs
  bool quitting_ = false;
  bool target_in_use_ = false;  // some command asked for it
  unsigned script_depth_ = 0;
  unsigned keepers_ = 0;
  std::unique_ptr<DebugFinder> finder_;  // times the one given
  std::unique_ptr<VirtReader> memory_;
  std::unique_ptr<Opened> opened_;
};

}  // namespace kvmscope
