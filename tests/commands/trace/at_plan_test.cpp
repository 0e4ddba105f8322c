// Where `trace at` probes and what it records there, in small C files compiled here.

#include "commands/trace/at_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "dwarf/debug_file.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope::tracing {
namespace {

using ::testing::HasSubstr;

// Line numbers count: the text starts at line 1.
constexpr const char* source =
    R"(struct sp { unsigned long gfn; unsigned level : 4; char name[8]; };
struct vcpu { int id; struct sp *sp; };
int next(int);
static inline __attribute__((always_inline)) int touch(struct sp *sp) {
  return next(sp->level);
}
int __attribute__((noipa)) zap(struct vcpu *vcpu) { return touch(vcpu->sp) + 1; }
int __attribute__((noipa)) sync(struct vcpu *vcpu, struct sp *sp) { return touch(sp) + 2; }
int __attribute__((noipa)) early(struct vcpu *vcpu) {
  int id = vcpu->id;
  next(id);
  next(0);
  return next(1);
}
void __attribute__((noipa)) silent(void) { next(3); }
)";

class AtPlanTest : public testing::TestWithParam<const char*> {
 protected:
  AtPlanTest()
      : file_(open_debug_file(folder_.module("kvm.ko", {{"at.c", source}}, GetParam()))),
        kvm_{file_.get(), "kvm"} {
    types_.add("kvm", [this] { return &file_->types(); });
  }

  AtPlaces places(const std::string& text, bool at_return = false) {
    return find_places(
        [this](std::string_view module) { return module == "kvm" ? kvm_ : ProbedCode(); }, text,
        at_return);
  }
  AtPlan plan(const std::string& text, const std::vector<std::string>& expressions,
              bool at_return = false) {
    return at_plan(places(text, at_return), types_, at_return, expressions,
                   [](std::size_t i) { return 100 * i; });
  }

  TemporaryFolder folder_;
  std::unique_ptr<DebugFile> file_;
  ProbedCode kvm_;
  Types types_;
};

TEST_P(AtPlanTest, AFunctionIsProbedWhereItIsEntered) {
  const AtPlan plan = this->plan("zap", {"vcpu->id", "vcpu->sp->level"});
  ASSERT_EQ(plan.probes.size(), 1u);
  EXPECT_EQ(plan.probes[0].place, "kvm:zap");
  EXPECT_FALSE(plan.probes[0].at_return);
  EXPECT_EQ(plan.probes[0].args[0].fetch, "+0(%di):s32");
  EXPECT_EQ(plan.probes[0].args[1].fetch, "+8(+8(%di)):b4@0/32");
  EXPECT_EQ(plan.places[0].function, "zap");
  EXPECT_THAT(plan.places[0].line, HasSubstr("at.c:7"));
}

TEST_P(AtPlanTest, AnInlinedFunctionIsProbedInEveryCopy) {
  const AtPlan plan = this->plan("touch", {"sp->gfn"});
  ASSERT_EQ(plan.probes.size(), 2u);
  std::vector<std::string> symbols;
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(plan.places[i].function, "touch");
    ASSERT_TRUE(plan.values[i][0].index) << plan.values[i][0].lost;
    symbols.push_back(plan.places[i].place.symbol);
  }
  EXPECT_THAT(symbols, testing::UnorderedElementsAre("zap", "sync"));
  EXPECT_NE(plan.probes[0].event, plan.probes[1].event);
}

TEST_P(AtPlanTest, ALineIsProbedInEachCopyOfItsFunction) {
  const AtPlan plan = this->plan("at.c:5", {});
  ASSERT_EQ(plan.probes.size(), 2u);
  for (const AtPlace& place : plan.places) {
    // GCC may begin a copy behind the first instruction of its first line.
    EXPECT_THAT(place.function, testing::AnyOf("touch", place.place.symbol));
    EXPECT_THAT(place.line, HasSubstr("at.c:5"));
  }
}

TEST_P(AtPlanTest, ALineWithoutCodeNamesThoseNearIt) {
  EXPECT_ERROR(places("at.c:14"), ErrorKind::usage, "lines near it");
  EXPECT_ERROR(places("mmu.c:5"), ErrorKind::usage, "no code of a file mmu.c");
}

TEST_P(AtPlanTest, AVariableThatIsOptimisedOutIsSaidWithThePlacesThatHaveIt) {
  // `vcpu` is not needed after the first call, and the last line has no use of `id`.
  const std::optional<Error> alone = error_of([&] { plan("at.c:13", {"vcpu->id"}); });
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->kind(), ErrorKind::usage);
  EXPECT_THAT(alone->message(), HasSubstr("'vcpu' is not available at early+0x"));
  EXPECT_THAT(alone->message(), HasSubstr("available from early to +0x"));
}

TEST_P(AtPlanTest, AReturnKnowsItsValueAlone) {
  const AtPlan plan = this->plan("early", {"$retval"}, true);
  ASSERT_EQ(plan.probes.size(), 1u);
  EXPECT_TRUE(plan.probes[0].at_return);
  EXPECT_EQ(plan.probes[0].args[0].fetch, "$retval:s32");
  EXPECT_ERROR(this->plan("early", {"vcpu->id"}, true), ErrorKind::usage, "only $retval is there");
  EXPECT_ERROR(this->plan("silent", {"$retval"}, true), ErrorKind::usage, "returns nothing");
  EXPECT_ERROR(this->plan("early", {"$retval"}), ErrorKind::usage, "--return");
  EXPECT_ERROR(places("touch", true), ErrorKind::usage, "was inlined everywhere, into");
  EXPECT_ERROR(places("at.c:5", true), ErrorKind::usage, "--return is about a whole function");
}

TEST_P(AtPlanTest, SaysWhichExpressionCannotBeRecordedAndWhere) {
  const std::optional<Error> thrown = error_of([&] {
    plan("zap", {"vcpu->id", "vcpu->sp->level + 1"});
  });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind(), ErrorKind::usage);
  EXPECT_THAT(thrown->message(), HasSubstr("cannot calculate"));
  EXPECT_GE(thrown->column().value_or(0), 100u);
  EXPECT_ERROR(plan("zap", {"vcpu->sp->name"}), ErrorKind::usage, "name an element of it");
  EXPECT_ERROR(plan("zap", {"*vcpu"}), ErrorKind::usage, "more than one number");
}

TEST_P(AtPlanTest, AnOffsetIsInsideItsFunction) {
  EXPECT_EQ(plan("early+0x1", {}).probes[0].place, "kvm:early+0x1");
  EXPECT_ERROR(places("early+0x1000"), ErrorKind::usage, "bytes long");
  EXPECT_ERROR(places("erly"), ErrorKind::usage, "did you mean 'early'");
  EXPECT_ERROR(places("kvm_amd:early"), ErrorKind::unavailable, "no debug file of kvm-amd");
}

INSTANTIATE_TEST_SUITE_P(Compilers, AtPlanTest,
                         testing::Values("gcc -O2 -gdwarf-5", "clang -O2 -gdwarf-5"),
                         [](const auto& info) { return "with" + std::to_string(info.index); });

}  // namespace
}  // namespace kvmscope::tracing
