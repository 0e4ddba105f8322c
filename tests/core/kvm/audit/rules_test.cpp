// The table of rules, as a table.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/kvm/audit/rule.hpp"

namespace kvmscope::kvm::audit {
namespace {

TEST(AuditRules, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Rule& rule : rules()) EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
  EXPECT_GT(names.size(), 30U);
}

TEST(AuditRules, BreakRulesThatThereAre) {
  for (const Rule& rule : rules()) {
    std::set<std::string_view> names;
    for (const std::string_view broken : rule.breaks) {
      EXPECT_NE(find_rule(broken), nullptr) << rule.name << " breaks " << broken;
      EXPECT_NE(broken, rule.name);
      EXPECT_TRUE(names.insert(broken).second) << rule.name << " breaks " << broken << " twice";
    }
  }
}

TEST(AuditRules, SayWhatTheyCheckAndCheckIt) {
  for (const Rule& rule : rules()) {
    EXPECT_FALSE(rule.what.empty()) << rule.name;
    EXPECT_FALSE(rule.source.empty()) << rule.name;
    EXPECT_TRUE(rule.page != nullptr || rule.entry != nullptr || rule.check != nullptr)
        << rule.name;
    // What is not read cannot be missed.
    EXPECT_EQ(rule.whole & ~rule.reads, 0U) << rule.name;
    EXPECT_TRUE(rule.entry == nullptr || (rule.reads & part::tables) != 0) << rule.name;
  }
}

TEST(AuditRules, AreFoundByTheirNames) {
  ASSERT_NE(find_rule("unsync-bitmap"), nullptr);
  EXPECT_EQ(find_rule("unsync-bitmap")->severity, Severity::error);
  EXPECT_EQ(find_rule("unsync-stale")->severity, Severity::info);
  EXPECT_EQ(find_rule("unsync"), nullptr);
}

}  // namespace
}  // namespace kvmscope::kvm::audit
