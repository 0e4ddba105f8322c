// What an audit checks: rules that hold whenever nobody is changing KVM's page tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvmscope::kvm::audit {

class Model;
class Report;
struct Node;
struct TableEntry;

// info: a rule that KVM itself lets go for a while, or that is approximate.
enum class Severity { error, info };
std::string_view name(Severity severity);

// The parts that a VM is read in, as bits.
namespace part {
inline constexpr unsigned lists = 1;
inline constexpr unsigned roots = 2;
inline constexpr unsigned slots = 4;
inline constexpr unsigned tables = 8;
inline constexpr unsigned parents = 16;
inline constexpr unsigned rmaps = 32;
}  // namespace part

struct Rule {
  std::string_view name;
  std::string_view what;    // what holds
  std::string_view when;    // for which VMs or kernels; empty: always
  std::string_view source;  // the kernel's functions that keep it
  // Rules that one fault against this one may break, too.
  std::vector<std::string_view> breaks = {};
  Severity severity = Severity::error;
  unsigned reads = part::lists;
  // Parts without which it proves nothing: where memory of them is missing, `page` and `check` are
  // not called.
  unsigned whole = 0;
  // Why it does not hold for this VM, by the members and variables that its kernel has and by the
  // state of the VM; empty: it does. nullptr: it always does.
  std::string (*excuse)(const Model&) = nullptr;
  // Called for each shadow page, for each entry of a table that is not empty, and once at the
  // end.
  void (*page)(const Model&, const Node&, Report&) = nullptr;
  void (*entry)(const Model&, const TableEntry&, Report&) = nullptr;
  void (*check)(const Model&, Report&) = nullptr;
};

// All, in the order in which they are shown.
const std::vector<Rule>& rules();
// nullptr: there is none of that name.
const Rule* find_rule(std::string_view name);

// The rows, by what they are about.
std::vector<Rule> list_rules();
std::vector<Rule> page_rules();
std::vector<Rule> unsync_rules();
std::vector<Rule> parent_rules();
std::vector<Rule> rmap_rules();
std::vector<Rule> entry_rules();
std::vector<Rule> role_rules();
std::vector<Rule> root_rules();
std::vector<Rule> tdp_rules();
std::vector<Rule> slot_rules();
std::vector<Rule> memory_rules();
std::vector<Rule> guest_rules();
std::vector<Rule> total_rules();

}  // namespace kvmscope::kvm::audit
