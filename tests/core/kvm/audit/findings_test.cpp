// Which finding is put below which.

#include "core/kvm/audit/findings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvmscope::kvm::audit {
namespace {

const Rule cause{.name = "cause", .what = "", .when = "", .source = "", .breaks = {"middle"}};
const Rule middle{.name = "middle", .what = "", .when = "", .source = "", .breaks = {"effect"}};
const Rule effect{.name = "effect", .what = "", .when = "", .source = ""};

Finding about(std::uint64_t address, std::vector<VirtAddr> related = {}, bool wide = false) {
  Finding finding;
  finding.address = {address};
  finding.related = std::move(related);
  finding.wide = wide;
  return finding;
}

// "RULE@ADDRESS<CAUSE", in order.
std::vector<std::string> texts(const Findings& findings) {
  std::vector<std::string> all;
  for (const Finding& finding : findings.all())
    all.push_back(std::string(finding.rule->name) + "@" + std::to_string(finding.address.value) +
                  (finding.cause != nullptr ? "<" + std::string(finding.cause->rule->name) : ""));
  return all;
}

TEST(AuditFindings, PutAConsequenceBehindItsRoot) {
  Findings findings;
  findings.add(effect, about(2));
  findings.add(cause, about(1));
  findings.add(middle, about(1, {{2}}));
  findings.add(effect, about(3));
  findings.group();
  EXPECT_THAT(texts(findings),
              testing::ElementsAre("cause@1", "effect@2<cause", "middle@1<cause", "effect@3"));
}

TEST(AuditFindings, KeepThoseOfOtherObjectsApart) {
  Findings findings;
  findings.add(middle, about(1));
  findings.add(effect, about(2));
  findings.group();
  EXPECT_THAT(texts(findings), testing::ElementsAre("middle@1", "effect@2"));
}

TEST(AuditFindings, TakeAWideFaultForTheCauseOfAll) {
  Findings findings;
  findings.add(middle, about(1, {}, true));
  findings.add(effect, about(2));
  findings.group();
  EXPECT_THAT(texts(findings), testing::ElementsAre("middle@1", "effect@2<middle"));
}

TEST(AuditFindings, DoNotGoRoundWhereTwoRulesBreakEachOther) {
  const Rule one{.name = "one", .what = "", .when = "", .source = "", .breaks = {"two"}};
  const Rule two{.name = "two", .what = "", .when = "", .source = "", .breaks = {"one"}};
  Findings findings;
  findings.add(one, about(1));
  findings.add(two, about(1));
  findings.group();
  EXPECT_THAT(texts(findings), testing::ElementsAre("one@1", "two@1<one"));
}

TEST(AuditFindings, CountThoseBeyondTheMost) {
  Findings findings;
  for (std::size_t i = 0; i < Findings::most_of_a_rule + 3; ++i) findings.add(effect, about(i));
  EXPECT_EQ(findings.all().size(), Findings::most_of_a_rule);
  EXPECT_EQ(findings.left_out().at("effect"), 3U);
}

}  // namespace
}  // namespace kvmscope::kvm::audit
