// What an audit has found, and which finding comes of which.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/kvm/audit/rule.hpp"
#include "core/kvm/shadow_page.hpp"

namespace kvmscope::kvm::audit {

// What a finding is about: the word is that of the address.
enum class Object { vm, list, sp, spte, rmap, slot, vcpu };
std::string_view name(Object object);

struct Finding {
  Object object = Object::vm;
  VirtAddr address;
  std::string text;
  // The shadow page that it is about, or that has the SPTE at `index`: the way to it is shown.
  std::optional<ShadowPage> page = {};
  std::optional<unsigned> index = {};
  // Other objects that are part of it.
  std::vector<VirtAddr> related = {};
  // It is about the VM as a whole, or the place where it shows is not known.
  bool wide = false;
  // KVM may be in the middle of it, though nobody holds mmu_lock for writing.
  bool unstable = false;

  // Set when all are known.
  const Rule* rule = nullptr;
  const Finding* cause = nullptr;  // the root of its group; nullptr: it is one itself
};

class Findings {
 public:
  static constexpr std::size_t most_of_a_rule = 1000;

  void add(const Rule& rule, Finding finding);
  // The rule cannot be checked everywhere.
  void skip(const Rule& rule, std::string why) { skips_.emplace_back(&rule, std::move(why)); }
  const std::vector<std::pair<const Rule*, std::string>>& skips() const { return skips_; }
  // How many of a rule were left out.
  const std::map<std::string_view, std::uint64_t>& left_out() const { return left_out_; }
  // Groups them: a finding of a rule that the row of another one lists, about the same object, is
  // put behind that. Each group starts with its root.
  void group();
  const std::vector<Finding>& all() const { return all_; }

 private:
  std::vector<Finding> all_;
  std::vector<std::pair<const Rule*, std::string>> skips_;
  std::map<std::string_view, std::uint64_t> counts_;
  std::map<std::string_view, std::uint64_t> left_out_;
};

// Where one rule puts what it finds.
class Report {
 public:
  Report(const Rule& rule, Findings& findings) : rule_(rule), findings_(findings) {}
  void add(Finding finding) { findings_.add(rule_, std::move(finding)); }
  void skip(std::string why) { findings_.skip(rule_, std::move(why)); }

 private:
  const Rule& rule_;
  Findings& findings_;
};

}  // namespace kvmscope::kvm::audit
