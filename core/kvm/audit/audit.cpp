#include "core/kvm/audit/audit.hpp"

#include "core/kvm/audit/model.hpp"

namespace kvmscope::kvm::audit {
namespace {

std::vector<Rule> all_rules() {
  std::vector<Rule> all;
  for (const auto& some : {list_rules(), page_rules(), unsync_rules(), parent_rules(), rmap_rules(),
                           entry_rules(), role_rules(), root_rules(), tdp_rules(), slot_rules(),
                           memory_rules(), guest_rules(), total_rules()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

// One rule that is checked.
struct Running {
  const Rule* rule;
  Report report;
};

class Audit {
 public:
  Audit(const Kvm& kvm, const Vm& vm, const std::vector<const Rule*>& wanted,
        const std::function<void(const Error&)>& lost)
      : model_(kvm, vm, lost) {
    for (const Rule* rule : wanted) {
      const std::string excuse = rule->excuse != nullptr ? rule->excuse(model_) : "";
      if (excuse.empty())
        running_.push_back({rule, Report(*rule, result_.findings)});
      else
        result_.skipped.push_back({rule, excuse});
    }
  }

  Result run() {
    read();
    result_.rules = running_.size();
    for (Running& one : running_) check(one);
    for (const auto& [rule, why] : result_.findings.skips())
      result_.skipped.push_back({rule, why, true});
    result_.findings.group();
    result_.in_motion = model_.in_motion();
    result_.pages = model_.nodes().size();
    return std::move(result_);
  }

 private:
  void read() {
    unsigned parts = 0;
    for (const Running& one : running_) parts |= one.rule->reads;
    // Pages of the TDP MMU are found in the tables above them.
    if ((parts & part::lists) != 0 && model_.uses_tdp_mmu()) parts |= part::tables;
    model_.read_lists();
    if ((parts & part::slots) != 0) model_.read_slots();
    if ((parts & part::roots) != 0) model_.read_roots();
    if ((parts & part::tables) != 0) read_tables();
    if ((parts & part::parents) != 0) model_.read_parents();
    if ((parts & part::rmaps) != 0) model_.read_rmaps();
    model_.end_reading();
  }

  void read_tables() {
    std::vector<Running*> visited;
    for (Running& one : running_)
      if (one.rule->entry != nullptr) visited.push_back(&one);
    model_.read_tables([&](const TableEntry& entry) {
      ++result_.sptes;
      for (Running* one : visited) one->rule->entry(model_, entry, one->report);
    });
  }

  void check(Running& one) {
    if (one.rule->page == nullptr && one.rule->check == nullptr) return;
    if ((one.rule->whole & model_.lost_parts()) != 0) {
      --result_.rules;
      result_.skipped.push_back({one.rule, "memory that it needs as a whole is missing", true});
      return;
    }
    if (one.rule->page != nullptr)
      for (const Node& node : model_.nodes()) one.rule->page(model_, node, one.report);
    if (one.rule->check != nullptr) one.rule->check(model_, one.report);
  }

  Result result_;
  Model model_;
  std::vector<Running> running_;
};

}  // namespace

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = all_rules();
  return all;
}

const Rule* find_rule(std::string_view name) {
  for (const Rule& rule : rules())
    if (rule.name == name) return &rule;
  return nullptr;
}

Result run(const Kvm& kvm, const Vm& vm, const std::vector<const Rule*>& rules,
           const std::function<void(const Error&)>& lost) {
  return Audit(kvm, vm, rules, lost).run();
}

std::vector<std::string> excuses(const Kvm& kvm, const Vm& vm,
                                 const std::function<void(const Error&)>& lost) {
  const Model model(kvm, vm, lost);
  std::vector<std::string> why;
  for (const Rule& rule : rules())
    why.push_back(rule.excuse != nullptr ? rule.excuse(model) : std::string());
  return why;
}

}  // namespace kvmscope::kvm::audit
