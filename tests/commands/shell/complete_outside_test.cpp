// Completion in the user's own shell: by declarations, without a target.

#include "commands/shell/complete_outside.hpp"

#include <gtest/gtest.h>

#include "commands/catalogue.hpp"

namespace kvmscope {
namespace {

using Words = std::vector<std::string>;
using Then = OutsideCandidate::Then;

std::vector<OutsideCandidate> all(const Words& words) {
  return complete_outside(catalogue(), words);
}

Words offered(const Words& words) {
  Words found;
  for (const OutsideCandidate& candidate : all(words)) found.push_back(candidate.word);
  return found;
}

bool asks_for_a_file(const Words& words) {
  const auto found = all(words);
  return found.size() == 1 && found.front().then == Then::file;
}

TEST(OutsideCompletion, OfCommands) {
  EXPECT_EQ(offered({"ro"}), Words{"roots"});
  EXPECT_EQ(offered({"-c", "vmcore", "--strict", "ro"}), Words{"roots"});
  EXPECT_EQ(offered({"trace", "lo"}), Words{"load"});
  EXPECT_EQ(all({"ro"}).front().help, "list the root slots of each vCPU, valid or not");
  EXPECT_GT(offered({""}).size(), 20U);
}

TEST(OutsideCompletion, OfOptionsAndTheirValues) {
  EXPECT_EQ(offered({"--f"}), Words{"--format"});
  EXPECT_EQ(offered({"roots", "--f"}), Words{"--format"});
  EXPECT_EQ(offered({"-f", "js"}), (Words{"json", "jsonl"}));
  EXPECT_EQ(offered({"roots", "-f", "js"}), (Words{"json", "jsonl"}));
  EXPECT_EQ(offered({"roots", "--format=js"}), (Words{"json", "jsonl"}));
  EXPECT_EQ(offered({"--format=js"}), (Words{"json", "jsonl"}));
  EXPECT_EQ(offered({"set", "pager", "o"}), (Words{"off", "on"}));
}

TEST(OutsideCompletion, OfFields) {
  EXPECT_EQ(offered({"roots", "-o", "name,gf"}), Words{"name,gfn"});
  EXPECT_EQ(all({"roots", "-o", "name,gf"}).front().then, Then::nothing);
  EXPECT_EQ(all({"ro"}).front().then, Then::blank);
}

TEST(OutsideCompletion, OfFilesIsTheShells) {
  EXPECT_TRUE(asks_for_a_file({"-c", ""}));
  EXPECT_TRUE(asks_for_a_file({"-s", "x"}));
  EXPECT_TRUE(asks_for_a_file({"--core=/va"}));
  EXPECT_TRUE(asks_for_a_file({"snapshot", "-o", ""}));
  EXPECT_TRUE(asks_for_a_file({"./vml"}));
  EXPECT_TRUE(asks_for_a_file({"run", "x"}));
  EXPECT_TRUE(asks_for_a_file({"layout", "--save", ""}));
  EXPECT_TRUE(asks_for_a_file({"-x", "stale_pages.lua", "ro"}));
  EXPECT_FALSE(asks_for_a_file({"-x", "lines", "ro"}));
  EXPECT_FALSE(asks_for_a_file({"roots", "-o", ""}));
}

TEST(OutsideCompletion, OfALineInsideALine) {
  EXPECT_EQ(offered({"watch", "--every", "1", "ro"}), Words{"roots"});
  EXPECT_EQ(offered({"help", "trace", "lo"}), Words{"load"});
}

// It would take the target, or its debug files.
TEST(OutsideCompletion, OfVmsAndTypesIsNone) {
  EXPECT_EQ(offered({"roots", ""}), Words{});
  EXPECT_EQ(offered({"symbol", "vm"}), Words{});
  EXPECT_EQ(offered({"print", "vcpu->a"}), Words{});
  EXPECT_EQ(offered({"type", "struct kv"}), Words{});
}

TEST(OutsideCompletion, OfStrangeWordsIsHarmless) {
  EXPECT_EQ(offered({}), Words{});
  EXPECT_EQ(offered({"vms", "a'b\"c|>", "--so"}), Words{"--sort"});
  EXPECT_EQ(offered({"vms", "> x", "|", "--so"}), Words{"--sort"});
  offered({"print", "((((", ""});
  offered({"'", "\""});
}

}  // namespace
}  // namespace kvmscope
