#include "commands/snapshot/state.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/error.hpp"

namespace kvmscope::snapshots {
namespace {

// Pages, runs and the like together: some hundred megabytes.
constexpr std::size_t most_records = 4'000'000;

constexpr std::string_view invalid_word = " invalid";

struct MemberOf {
  std::string_view name;
  std::string State::*text;
};
constexpr std::array<MemberOf, 5> members = {{{"depth", &State::depth},
                                              {"time", &State::time},
                                              {"host.name", &State::host},
                                              {"kernel.release", &State::release},
                                              {"kernel.build_ids.vmlinux", &State::build_id}}};

std::string vcpu_of(const Fields& fields) {
  std::string vcpu = std::to_string(fields.number("vcpu"));
  if (fields.text("mmu") == "guest_mmu") vcpu += ".guest_mmu";
  return vcpu;
}

void add_vm(VmState& vm, const Fields& fields) {
  vm.named = fields["id"].kind == Scalar::Kind::text;
  vm.address = fields.number("kvm");
  vm.comm = fields.text("comm");
}

void add_vcpu(VmState& vm, const Fields& fields) {
  vm.vcpus.insert_or_assign(std::to_string(fields.number("vcpu")), fields.text("paging"));
}

void add_root(VmState& vm, const Fields& fields) {
  RootState root{.vcpu = vcpu_of(fields),
                 .slot = fields.text("slot"),
                 .valid = fields.flag("valid"),
                 .hpa = fields.number("hpa"),
                 .pgd = fields.number("pgd"),
                 .level = fields.number("level"),
                 .gfn = fields["gfn"].number()};
  if (const Scalar& role = fields["role_text"]; role.kind == Scalar::Kind::text)
    root.invalid = role.text.find(invalid_word) != std::string::npos;
  vm.roots.push_back(std::move(root));
}

void add_counts(VmState& vm, const Fields& fields) {
  vm.page_bytes = fields["bytes"].number();
  // Those are in no level's count.
  if (fields.number("unreadable") != 0) vm.incomplete.emplace("page_counts");
}

void add_role(VmState& vm, const Fields& fields) {
  vm.pages_by_level[fields.number("level")] += fields.number("pages");
}

void add_page(VmState& vm, const Fields& fields) {
  const bool readable =
      fields["gfn"].number() && fields["role"].number() && fields["level"].number();
  vm.pages.push_back({.sp = fields.number("sp"),
                      .gfn = fields.number("gfn"),
                      .role = static_cast<std::uint32_t>(fields.number("role")),
                      .level = static_cast<std::uint8_t>(fields.number("level")),
                      .unsync = fields.flag("unsync"),
                      .invalid = fields.flag("invalid"),
                      .obsolete = fields.flag("obsolete"),
                      .readable = readable});
}

std::uint8_t access_of(const Fields& fields) {
  std::uint8_t access = fields.flag("dirty") ? dirty_bit : 0;
  for (std::size_t i = 0; i < access_letters.size(); ++i)
    if (fields.text("access").find(access_letters[i]) != std::string::npos)
      access = static_cast<std::uint8_t>(access | 1U << i);
  return access;
}

struct SectionOf {
  std::string_view name;
  void (*add)(VmState& vm, const Fields& fields);
};
constexpr std::array<SectionOf, 6> sections = {{{"vm", add_vm},
                                                {"vcpus", add_vcpu},
                                                {"roots", add_root},
                                                {"page_counts", add_counts},
                                                {"by_role", add_role},
                                                {"pages", add_page}}};

class Collector {
 public:
  explicit Collector(Source& source) : source_(source) { state_.name = source.name(); }

  State read() {
    read_snapshot(
        source_,
        {.member = [this](std::string_view name, const Scalar& value) { add_member(name, value); },
         .record = [this](std::string_view vm, std::string_view section,
                          const Fields& fields) { add_record(vm, section, fields); }});
    for (auto& [key, vm] : state_.vms)
      std::sort(vm.pages.begin(), vm.pages.end(),
                [](const PageState& a, const PageState& b) { return a.sp < b.sp; });
    return std::move(state_);
  }

 private:
  void add_member(std::string_view name, const Scalar& value) {
    for (const MemberOf& member : members)
      if (member.name == name) state_.*member.text = value.text;
    if (name == "incomplete") state_.incomplete = true;
  }

  void add_record(std::string_view key, std::string_view section, const Fields& fields) {
    if (++records_ > most_records)
      throw_error(ErrorKind::unavailable, "{} has more than {} records: compare single VMs",
                  source_.name(), most_records);
    if (vm_ == nullptr || vm_->id != key) {
      vm_ = &state_.vms[std::string(key)];
      vm_->id = key;
      tree_ = nullptr;
    }
    for (const SectionOf& known : sections)
      if (known.name == section) return known.add(*vm_, fields);
    if (section == "trees") add_tree(fields);
    if (section == "trees/end" && tree_ != nullptr) tree_->complete = fields.flag("complete");
    if (section == "runs" && tree_ != nullptr) add_run(fields);
    if (section == "incomplete") vm_->incomplete.insert(fields.text("name"));
  }

  // Before its runs.
  void add_tree(const Fields& fields) {
    std::string role = fields.text("role_text");
    if (const std::size_t at = role.find(invalid_word); at != std::string::npos)
      role.erase(at, invalid_word.size());
    std::string key = fmt::format("{} {:#x} {}", fields.text("domain"), fields.number("gfn"), role);
    if (role.empty()) key = fields.text("name");
    if (vm_->trees.contains(key)) key += fmt::format(" {}", vm_->trees.size());
    tree_ = &vm_->trees[key];
    tree_->name = fields.text("name");
    tree_->domain = fields.text("domain");
    // Told here when there are no runs, else behind them.
    const Scalar& complete = fields["complete"];
    tree_->complete = complete.kind == Scalar::Kind::nothing || complete.flag();
  }

  void add_run(const Fields& fields) {
    const RunState run{fields.number("first"), fields.number("last"),
                       static_cast<std::uint8_t>(fields.number("level")), access_of(fields)};
    const bool follows = tree_->runs.empty() || tree_->runs.back().last < run.first;
    if (!follows || run.last < run.first || run.level == 0)
      throw_error(ErrorKind::unavailable, "{} is damaged: the runs of {} are in no order",
                  source_.name(), tree_->name);
    tree_->runs.push_back(run);
  }

  Source& source_;
  State state_;
  VmState* vm_ = nullptr;
  TreeState* tree_ = nullptr;
  std::size_t records_ = 0;
};

}  // namespace

State read_state(Source& source) {
  return Collector(source).read();
}

}  // namespace kvmscope::snapshots
