#include "tests/support/fake_live.hpp"

#include <elf.h>

#include "commands/catalogue.hpp"
#include "commands/shell/runner.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t ram = 1ULL << 30;

class FakeLiveDump final : public Dump {
 public:
  FakeLiveDump(const FakeLiveMemory& memory, const FakeMemory& fake, std::string vmcoreinfo,
               std::string root)
      : memory_(memory),
        physical_(fake.physical()),
        vmcoreinfo_(std::move(vmcoreinfo)),
        root_(std::move(root)) {}

  const PhysReader& memory() const override { return physical_; }
  std::optional<std::string> vmcoreinfo() const override { return vmcoreinfo_; }
  std::string format() const override { return "fake live"; }
  std::vector<PhysRange> ranges() const override { return {{{0}, {ram}}}; }
  ReadCounts counts() const override { return memory_.counts(); }
  const VirtReader* kernel_memory() const override { return &memory_; }
  DirectMap direct_map() const override { return {FakeMemory::direct_map, ram}; }
  std::optional<std::string> system_root() const override { return root_; }

 private:
  const FakeLiveMemory& memory_;
  const PhysReader& physical_;
  std::string vmcoreinfo_;
  std::string root_;
};

std::string note(std::string_view hex) {
  std::string id;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    id += static_cast<char>(std::stoul(std::string(hex.substr(i, 2)), nullptr, 16));
  const std::uint32_t header[] = {4, static_cast<std::uint32_t>(id.size()), NT_GNU_BUILD_ID};
  std::string text(reinterpret_cast<const char*>(header), sizeof header);
  text += std::string_view("GNU\0", 4);
  return text + id;
}

}  // namespace

void FakeLiveMemory::read(VirtAddr at, MutableBytes into) const {
  ++counts_.reads;
  counts_.bytes += into.size();
  if (before) before(counts_.reads, at, into.size());
  if (at < FakeMemory::direct_map)
    throw_error(ErrorKind::fault, "{:#x} is no address of the kernel", at.value);
  memory_.physical().read(FakeMemory::phys(at), into);
}

FakeLive::FakeLive(FakeKernel& kernel)
    : kernel_(kernel), memory_(kernel.memory()), commands_(catalogue()) {
  kernel_.kernel();  // makes its symbols
  write_tree();
  memory_.before = [this](std::uint64_t, VirtAddr at, std::uint64_t size) { on_read(at, size); };
}

void FakeLive::write_tree() const {
  std::string kallsyms;
  const SymbolSource& symbols = *kernel_.finder().map;
  for (const std::string& name : symbols.names("", 10'000)) {
    const bool of_vmlinux =
        name == "page_offset_base" || name == "vmemmap_base" || name == "modules";
    kallsyms += fmt::format("{:016x} D {}{}\n", symbols.find(name)->address, name,
                            of_vmlinux ? "" : "\t[kvm]");
  }
  tree_.write("proc/kallsyms", kallsyms);
  tree_.write("proc/sys/kernel/kptr_restrict", std::string_view("0\n"));
  write_modules(kvm_line);
  tree_.write("sys/kernel/notes", note("aabbccdd"));
  tree_.write("sys/module/kvm/notes/.note.gnu.build-id", note(kernel_.options().file_build_id));
}

std::unique_ptr<Dump> FakeLive::dump() {
  return std::make_unique<FakeLiveDump>(memory_, kernel_.memory(), kernel_.vmcoreinfo(),
                                        tree_.path());
}

void FakeLive::before_read_of(VirtAddr at, unsigned nth, std::function<void()> change) {
  triggers_.push_back({at, nth, false, std::move(change)});
}

void FakeLive::before_each_read_of(VirtAddr at, std::function<void()> change) {
  triggers_.push_back({at, 0, true, std::move(change)});
}

void FakeLive::on_read(VirtAddr at, std::uint64_t size) {
  for (Trigger& trigger : triggers_) {
    if (trigger.over || trigger.at < at || trigger.at - at >= size) continue;
    if (!trigger.each) {
      if (--trigger.left != 0) continue;
      trigger.over = true;
    }
    trigger.change();
  }
}

Session& FakeLive::session() {
  if (session_) return *session_;
  messages_ = std::make_unique<Messages>(errors_, false, false);
  console_ = std::make_unique<Console>(Console{.out = &out_, .messages = *messages_});
  session_ = std::make_unique<Session>(
      Target{.path = "/proc/kcore", .open = [this] { return dump(); }, .implied = true},
      kernel_.finder(), commands_, *console_);
  session_->settings() = settings;
  return *session_;
}

FakeOutcome FakeLive::run_text(std::string_view line) {
  out_.clear_text();
  errors_.clear_text();
  FakeOutcome outcome;
  outcome.status = run_line(session(), line);
  outcome.text = out_.text();
  outcome.notes = lines_of(errors_.text());
  return outcome;
}

FakeOutcome FakeLive::run(std::string_view line) {
  FakeOutcome outcome = run_text(std::string(line) + " -f json");
  outcome.records = nlohmann::json::parse(outcome.text, nullptr, false);
  return outcome;
}

}  // namespace kvmscope
