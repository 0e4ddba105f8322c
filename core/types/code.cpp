#include "core/types/code.hpp"

#include <fmt/format.h>

namespace kvmscope {
namespace {

class NoCode : public CodeSource {
 public:
  std::vector<CodeBlock> copies(std::string_view) const override { return {}; }
  std::vector<CodeBlock> inlined(const CodeBlock&, std::string_view) const override { return {}; }
  std::vector<CodeCall> calls(const CodeBlock&, std::string_view) const override { return {}; }
  std::vector<CodeBlock> blocks_at(std::uint64_t) const override { return {}; }
  std::vector<LinePlace> lines(std::string_view, unsigned) const override { return {}; }
  std::vector<unsigned> lines_near(std::string_view, unsigned, std::size_t) const override {
    return {};
  }
  std::string line_at(std::uint64_t) const override { return {}; }
  std::vector<CodeVariable> variables(std::uint64_t) const override { return {}; }
  CodePlace place(std::uint64_t address) const override { return {address, {}, 0}; }
  std::vector<std::string> functions(std::string_view, std::size_t) const override { return {}; }
};

}  // namespace

std::string place_name(const CodePlace& place) {
  if (place.symbol.empty()) return fmt::format("{:#x}", place.address);
  if (place.offset == 0) return place.symbol;
  return fmt::format("{}+{:#x}", place.symbol, place.offset);
}

const CodeSource& no_code() {
  static const NoCode none;
  return none;
}

}  // namespace kvmscope
