// Any text is an expression or an error, never a crash.

#include <random>

#include "tests/core/expression/expression_fixture.hpp"

namespace kvmscope {
namespace {

class Fuzz : public ExpressionFixture {
 protected:
  // Evaluates and formats; only an Error may come of it.
  void run(const std::string& text) {
    try {
      format(value(text), {.depth = 3});
      ++fine;
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << text << ": " << error.what();
      if (error.column()) {
        EXPECT_LE(*error.column(), text.size()) << text;
      }
    }
  }

  std::mt19937 random{20240607};  // always the same texts
  std::size_t fine = 0;
};

TEST_F(Fuzz, RandomTokens) {
  const std::vector<std::string> pieces = {"vm",
                                           ".",
                                           "->",
                                           "mmu",
                                           "id",
                                           "root",
                                           "role",
                                           "level",
                                           "pages",
                                           "link",
                                           "[",
                                           "]",
                                           "(",
                                           ")",
                                           "*",
                                           "&",
                                           "+",
                                           "-",
                                           "/",
                                           "%",
                                           "<<",
                                           ">>",
                                           "<",
                                           "==",
                                           "&&",
                                           "||",
                                           "!",
                                           "~",
                                           "?",
                                           ":",
                                           "=",
                                           "$x",
                                           "$y",
                                           "0",
                                           "1",
                                           "2",
                                           "-1",
                                           "64",
                                           "7u",
                                           "'a'",
                                           "(u8)",
                                           "(u64 *)",
                                           "(struct vm *)",
                                           "sizeof",
                                           "sizeof(int)",
                                           "0xffffffffffffffff",
                                           "ffff888000001000",
                                           "container_of(",
                                           "struct",
                                           "vm, link)",
                                           ",",
                                           "offsetof(struct vm, ",
                                           "mystery",
                                           "handler",
                                           "(int)",
                                           "unsigned",
                                           "(enum pg_level)",
                                           "name",
                                           "0x8000000000000000",
                                           "label",
                                           "prev_roots",
                                           "void",
                                           "private"};
  std::uniform_int_distribution<std::size_t> pick(0, pieces.size() - 1);
  std::uniform_int_distribution<std::size_t> length(1, 14);
  for (int i = 0; i < 60'000; ++i) {
    std::string text;
    for (std::size_t n = length(random); n > 0; --n) text += pieces[pick(random)] + " ";
    run(text);
  }
  EXPECT_GT(fine, 1000u) << "the texts are no longer ones that can be right";
}

// Right by construction, up to types: reaches further into the evaluator than tokens do.
TEST_F(Fuzz, RandomTrees) {
  const std::vector<std::string> leaves = {"1",
                                           "0",
                                           "-3",
                                           "vm.id",
                                           "vm.pages",
                                           "vm.mmu",
                                           "$x",
                                           "vm.used",
                                           "vm.level",
                                           "vm",
                                           "vm.label",
                                           "64",
                                           "sizeof(long)",
                                           "vm.name",
                                           "vm.mmu->role.delta",
                                           "0x7fffffffffffffff"};
  const std::vector<std::string> operators = {"+",  "-",  "*",  "/", "%", "<<", ">>", "<",
                                              ">=", "==", "!=", "&", "^", "|",  "&&", "||"};
  const std::vector<std::string> prefixes = {
      "-", "~", "!", "*", "&", "(u8)", "(long)", "(struct mmu *)", "sizeof ", "$x = ", "(u16 *)"};
  const auto any = [&](const std::vector<std::string>& from) {
    return from[std::uniform_int_distribution<std::size_t>(0, from.size() - 1)(random)];
  };
  const auto tree = [&](const auto& self, int depth) -> std::string {
    switch (std::uniform_int_distribution<int>(0, depth > 4 ? 0 : 5)(random)) {
      case 1:
      case 2: return "(" + self(self, depth + 1) + any(operators) + self(self, depth + 1) + ")";
      case 3: return "(" + any(prefixes) + self(self, depth + 1) + ")";
      case 4: return self(self, depth + 1) + "[" + self(self, depth + 1) + "]";
      case 5:
        return "(" + self(self, depth + 1) + "?" + self(self, depth + 1) + ":" +
               self(self, depth + 1) + ")";
      default: return any(leaves);
    }
  };
  for (int i = 0; i < 40'000; ++i) run(tree(tree, 0));
  EXPECT_GT(fine, 5000u);
}

TEST_F(Fuzz, RandomBytes) {
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_int_distribution<std::size_t> length(0, 24);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t n = length(random); n > 0; --n) text += static_cast<char>(byte(random));
    run(text);
  }
}

}  // namespace
}  // namespace kvmscope
