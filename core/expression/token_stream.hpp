// Tokens taken one after the other, with errors that say what was expected.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "core/expression/lexer.hpp"

namespace kvmscope {

// A position in a list of tokens.
class TokenStream {
 public:
  // `tokens` ends with an `end` token and outlives this.
  explicit TokenStream(std::span<const Token> tokens) : tokens_(tokens) {}

  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& take() {
    const Token& token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool accept(std::string_view punctuation) {
    if (!peek().is(punctuation)) return false;
    take();
    return true;
  }
  // Throws Error{usage} that says what was expected where.
  void expect(std::string_view punctuation);
  // An identifier; `what` says which in the error.
  const Token& expect_name(std::string_view what);
  void expect_end();

 private:
  std::span<const Token> tokens_;
  std::size_t at_ = 0;
};

// "the end of the expression", "'foo'".
std::string described(const Token& token);

}  // namespace kvmscope
