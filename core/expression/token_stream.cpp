#include "core/expression/token_stream.hpp"

namespace kvmscope {

std::string described(const Token& token) {
  return token.kind == TokenKind::end ? "the end" : fmt::format("'{}'", token.text);
}

void TokenStream::expect(std::string_view punctuation) {
  if (!accept(punctuation))
    throw_at(peek().column, "expected '{}', not {}", punctuation, described(peek()));
}

const Token& TokenStream::expect_name(std::string_view what) {
  if (peek().kind != TokenKind::identifier)
    throw_at(peek().column, "expected {}, not {}", what, described(peek()));
  return take();
}

void TokenStream::expect_end() {
  if (peek().kind != TokenKind::end)
    throw_at(peek().column, "{} is one too many", described(peek()));
}

}  // namespace kvmscope
