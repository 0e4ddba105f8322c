// audit: whether the invariants of KVM's MMU hold, and which fault broke those that do not.

#include <algorithm>
#include <set>

#include "commands/audit_fields.hpp"
#include "commands/catalogue.hpp"
#include "commands/root_names.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"
#include "core/base/nearest.hpp"
#include "core/memory/settle.hpp"

namespace kvmscope {
namespace {

namespace rules = kvm::audit;

std::vector<std::string_view> rule_names() {
  std::vector<std::string_view> names;
  for (const rules::Rule& rule : rules::rules()) names.push_back(rule.name);
  return names;
}

const rules::Rule& rule_named(std::string_view name) {
  const rules::Rule* rule = rules::find_rule(name);
  if (rule != nullptr) return *rule;
  const std::vector<std::string_view> names = rule_names();
  const std::vector<std::string_view> near = nearest_names(name, names);
  throw_error(ErrorKind::usage, "no rule '{}'{}{} (see `audit --list`)", name,
              near.empty() ? "" : "; did you mean ", fmt::join(near, ", "));
}

// Those of --rule, in the order of the table; all without it.
std::vector<const rules::Rule*> wanted_rules(const Arguments& args) {
  std::set<const rules::Rule*> named;
  for (const std::string& list : args.all("--rule"))
    for (std::size_t start = 0; start <= list.size();) {
      const std::size_t comma = std::min(list.find(',', start), list.size());
      named.insert(&rule_named(std::string_view(list).substr(start, comma - start)));
      start = comma + 1;
    }
  std::vector<const rules::Rule*> wanted;
  for (const rules::Rule& rule : rules::rules())
    if (named.empty() || named.contains(&rule)) wanted.push_back(&rule);
  return wanted;
}

// ---- one VM

std::string many(std::uint64_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

struct Audited {
  rules::Result result;
  std::vector<Error> lost;
};

// What a finding says, to find it again.
using Said = std::tuple<std::string_view, VirtAddr, std::string>;

Said said(const rules::Finding& finding) {
  return {finding.rule->name, finding.address, finding.text};
}

std::set<Said> all_said(const Audited& audited) {
  std::set<Said> all;
  for (const rules::Finding& finding : audited.result.findings.all()) all.insert(said(finding));
  return all;
}

class VmAudit {
 public:
  VmAudit(Session& session, const kvm::Vm& vm, const std::vector<const rules::Rule*>& wanted,
          bool all_wanted, RowSink& rows)
      : kvm_(session.kvm()), vm_(vm), wanted_(wanted), all_wanted_(all_wanted), rows_(rows) {}

  void run() {
    audit();
    const bool live = kvm_.kernel().steady() != nullptr;
    for (unsigned attempt = 1; live && attempt < most_attempts && !is_clean(); ++attempt) {
      give_time_to_finish(attempt);
      std::set<Said> before = all_said(audited_);
      audit();
      // A fault stays; what KVM was in the middle of does not.
      steady_ = attempt == 1 ? before : both(steady_, before);
    }
    if (live) kvm_.check_alive(vm_.address);
    say_what_is_lost();
    send(live);
  }

  // The last line about the VM.
  std::string summary() const {
    const rules::Result& result = audited_.result;
    const std::size_t found = result.findings.all().size();
    return fmt::format("VM {}: {}, {}, {}: {}", vm_.index, many(result.rules, "rule"),
                       many(result.pages, "shadow page"), many(result.sptes, "SPTE"),
                       found == 0 ? std::string("no findings")
                                  : fmt::format("{} in {}, {}", many(found, "finding"),
                                                many(group_, "group"), many(errors_, "error")));
  }

 private:
  static std::set<Said> both(const std::set<Said>& a, const std::set<Said>& b) {
    std::set<Said> common;
    std::ranges::set_intersection(a, b, std::inserter(common, common.end()));
    return common;
  }

  bool is_clean() const { return audited_.result.findings.all().empty() && audited_.lost.empty(); }

  void audit() {
    // What it uses is many times what a record depends on, and is looked at again by auditing
    // again.
    const Recording own(kvm_.kernel().steady());
    Audited audited;
    const kvm::Vm now =
        kvm_.kernel().steady() == nullptr ? vm_ : kvm_.vm_at(vm_.address, vm_.index);
    audited.result =
        rules::run(kvm_, now, wanted_, [&](const Error& error) { audited.lost.push_back(error); });
    audited_ = std::move(audited);
  }

  void say_what_is_lost() {
    std::size_t told = 0;
    for (const Error& error : audited_.lost) {
      if (error.kind() != ErrorKind::torn) rows_.set_status(exit_status(error.kind()));
      if (++told > most_told) continue;
      const std::string text =
          fmt::format("not all of VM {} is checked: {}", vm_.index, error.what());
      if (error.kind() == ErrorKind::torn) {
        rows_.set_torn(text);
        continue;
      }
      rows_.note(text);
    }
    if (told > most_told)
      rows_.note(fmt::format("{} more losses in VM {}", told - most_told, vm_.index));
    for (const rules::Skipped& skipped : audited_.result.skipped)
      if (skipped.lost || !all_wanted_)
        rows_.note(fmt::format("rule {} is not checked, or not everywhere, in VM {}: {}",
                               skipped.rule->name, vm_.index, skipped.why));
    for (const auto& [rule, count] : audited_.result.findings.left_out())
      rows_.note(
          fmt::format("{} more findings of rule {} in VM {} are left out", count, rule, vm_.index));
  }

  void send(bool live) {
    const kvm::RootNames names = is_clean() ? kvm::RootNames() : root_names(kvm_, {vm_}, rows_);
    kvm::RootPaths paths(kvm_, names);
    const std::string& motion = audited_.result.in_motion;
    for (const rules::Finding& finding : audited_.result.findings.all()) {
      const bool torn = live && !steady_.contains(said(finding));
      const bool unstable = finding.unstable || torn || !motion.empty();
      if (finding.cause == nullptr) ++group_;
      const bool strict = finding.rule->severity == rules::Severity::error;
      if (strict && !unstable) rows_.set_status(exit_findings);
      errors_ += strict && !unstable;
      rows_.add_checked(
          make_record(finding_fields(), FindingItem{kvm_, vm_, finding, paths, group_, unstable}),
          std::nullopt, torn ? "it was not found each time" : "");
    }
    if (group_ != 0 && !motion.empty())
      rows_.note(fmt::format("findings in VM {} are unstable: {}", vm_.index, motion));
  }

  static constexpr int exit_findings = 1;
  static constexpr std::size_t most_told = 10;  // of what is lost in one VM

  const kvm::Kvm& kvm_;
  const kvm::Vm& vm_;
  const std::vector<const rules::Rule*>& wanted_;
  bool all_wanted_;
  RowSink& rows_;
  Audited audited_;
  std::set<Said> steady_;
  std::uint64_t group_ = 0;
  std::uint64_t errors_ = 0;
};

// ---- the command

void list_rules(Session& session, const Arguments& args, RowSink& rows) {
  const std::vector<const rules::Rule*> wanted = wanted_rules(args);
  std::vector<std::string> excuses(rules::rules().size());
  std::optional<unsigned> index;
  if (const std::optional<std::string> text = args.text("VM")) {
    const kvm::Vm vm = find_vm(session.kvm(), *text, rows);
    index = vm.index;
    excuses = rules::excuses(session.kvm(), vm, [&](const Error& error) {
      rows.note(error.what());
      rows.set_status(exit_status(error.kind()));
    });
  }
  for (std::size_t i = 0; i < rules::rules().size(); ++i) {
    const rules::Rule& rule = rules::rules()[i];
    if (std::ranges::find(wanted, &rule) != wanted.end())
      rows.add(make_record(rule_fields(), RuleItem{rule, index, excuses[i]}));
  }
}

void run_audit(Session& session, const Arguments& args, RowSink& rows) {
  if (args.has("--list")) return list_rules(session, args, rows);
  const std::vector<const rules::Rule*> wanted = wanted_rules(args);
  std::vector<std::string> summaries;
  for (const kvm::Vm& vm : selected_vms(session.kvm(), args, rows)) {
    session.progress(fmt::format("auditing VM {}", vm.index));
    rows.attempt([&] { return fmt::format("VM {} is not audited", vm.index); },
                 [&] {
                   VmAudit one(session, vm, wanted, !args.has("--rule"), rows);
                   one.run();
                   summaries.push_back(one.summary());
                 });
  }
  for (const std::string& summary : summaries) rows.footer(summary);
}

}  // namespace

Command audit() {
  return {
      .names = {"audit"},
      .summary = "check the invariants of KVM's MMU in each VM",
      .details =
          "Each rule is an invariant that holds whenever nobody changes the page tables; --list\n"
          "explains them all, with VM also which of them that VM has. Findings that one fault\n"
          "explains stand below it. Status 1 tells that an error was found that is not unstable:\n"
          "not one while mmu_lock is held for writing, memslots change or an MMU notifier is at\n"
          "work, nor, on a kernel that runs, one that does not stay.",
      .needs = Needs::nothing,
      .reads_target = true,
      .needs_target = [](const Arguments& args) { return !args.has("--list") || args.text("VM"); },
      .arguments = {vm_argument()},
      .options = {{"--rule", "NAMES", ArgumentKind::rules,
                   "only these, with commas between them; may be repeated"},
                  {"--list", "", ArgumentKind::text, "explain the rules instead"}},
      .columns = columns_of(finding_fields()),
      .view = finding_view(),
      .modes = {{.option = "--list", .columns = columns_of(rule_fields()), .view = rule_view()}},
      .keys = {"vm", "rule", "address", "text"},
      .examples = {"audit", "audit 0 --rule unsync-children,unsync-bitmap", "audit --list",
                   "audit -f json"},
      .run = run_audit,
  };
}

}  // namespace kvmscope
