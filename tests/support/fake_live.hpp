// A fake kernel as if it were the one that runs: its memory changes between two reads, its proc
// and sys are a folder.
//
//   FakeScenario scenario;
//   FakeLive live(scenario.kernel);
//   live.before_read_of(scenario.root.address, [&] { … });
//   const FakeOutcome outcome = live.run("roots");
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "commands/shell/session.hpp"
#include "tests/support/fake_kernel_run.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {

// The fake kernel's memory by virtual address, as /proc/kcore has it.
class FakeLiveMemory final : public VirtReader {
 public:
  explicit FakeLiveMemory(FakeMemory& memory) : memory_(memory) {}
  void read(VirtAddr at, MutableBytes into) const override;

  // Called before each read, with its place in the order of all (from 1), address and size.
  std::function<void(std::uint64_t number, VirtAddr at, std::uint64_t size)> before;
  ReadCounts counts() const { return counts_; }

 private:
  FakeMemory& memory_;
  mutable ReadCounts counts_;
};

class FakeLive {
 public:
  explicit FakeLive(FakeKernel& kernel);

  // Runs `change` once, before the `nth` read (from 1) that covers the byte at `at`.
  void before_read_of(VirtAddr at, unsigned nth, std::function<void()> change);
  // Runs `change` before every read that covers it.
  void before_each_read_of(VirtAddr at, std::function<void()> change);

  // Lines of one session.
  FakeOutcome run(std::string_view line);       // with -f json
  FakeOutcome run_text(std::string_view line);  // as the line says
  Session& session();

  const TemporaryTree& tree() const { return tree_; }
  // Writes /proc/modules; "" unloads kvm.
  void write_modules(std::string_view text) const { tree_.write("proc/modules", text); }
  static constexpr std::string_view kvm_line = "kvm 1146880 1 kvm_amd, Live 0xffffffffc0612000\n";
  std::uint64_t reads() const { return memory_.counts().reads; }
  std::unique_ptr<Dump> dump();
  Settings settings = {};  // that the session starts with

 private:
  struct Trigger {
    VirtAddr at;
    unsigned left = 0;  // reads until it fires
    bool each = false;  // or it fires at every one
    std::function<void()> change;
    bool over = false;
  };

  void write_tree() const;
  void on_read(VirtAddr at, std::uint64_t size);

  FakeKernel& kernel_;
  TemporaryTree tree_;
  FakeLiveMemory memory_;
  std::vector<Trigger> triggers_;
  std::vector<Command> commands_;
  Output out_;
  Output errors_;
  std::unique_ptr<Messages> messages_;
  std::unique_ptr<Console> console_;
  std::unique_ptr<Session> session_;
};

}  // namespace kvmscope
