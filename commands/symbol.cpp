// symbol: a symbol by its name, or the one that contains an address.

#include <algorithm>
#include <cctype>

#include "commands/catalogue.hpp"
#include "commands/expressions.hpp"
#include "core/base/nearest.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope {
namespace {

constexpr std::size_t most_candidates = 2000;  // that a misspelt name is compared with

bool is_number(std::string_view text) {
  if (text.empty()) return false;
  return std::isdigit(static_cast<unsigned char>(text.front())) != 0 ||
         (text.size() == 16 && std::all_of(text.begin(), text.end(),
                                           [](unsigned char c) { return std::isxdigit(c) != 0; }));
}

Symbol by_name(const Kernel& kernel, const std::string& name) {
  if (const std::optional<Symbol> found = kernel.find_symbol(name)) return *found;
  const std::vector<std::string> near =
      kernel.symbol_names(name.substr(0, name.size() / 2 + 1), most_candidates);
  throw_error(ErrorKind::usage, "no symbol '{}' in this kernel or its modules{}", name,
              did_you_mean(name, near));
}

Symbol by_address(const Kernel& kernel, std::uint64_t address) {
  if (const std::optional<Symbol> found = symbol_around(kernel, address)) return *found;
  throw_error(ErrorKind::usage, "no symbol contains {:#x}", address);
}

void find(Session& session, const Arguments& args, RowSink& rows) {
  const std::string text = args.text("SYMBOL").value();
  const Kernel& kernel = session.kernel();
  std::optional<std::uint64_t> address;
  if (is_number(text)) address = parse_number(text);
  const Symbol symbol = address ? by_address(kernel, *address) : by_name(kernel, text);
  rows.add({{symbol.name, Hex(symbol.address), symbol.size != 0 ? Value{symbol.size} : Value{},
             std::string(1, symbol.type), symbol.module.empty() ? Value{} : Value{symbol.module},
             Hex(address.value_or(symbol.address) - symbol.address)}});
}

}  // namespace

Command symbol() {
  using K = ColumnKind;
  return {
      .names = {"symbol", "sym"},
      .summary = "find a symbol by its name, or the one that contains an address",
      .arguments = {{"SYMBOL", ArgumentKind::symbol,
                     "a name, or an address: 0x…, or 16 hex digits"}},
      .columns = {{"name", K::text, "its name"},
                  {"address", K::hex, "where it starts"},
                  {"size", K::count, "bytes; null when unknown"},
                  {"type", K::text, "as in nm: T text, D data, B bss, R read-only; small: local"},
                  {"module", K::text, "whose it is; null: the kernel's own"},
                  {"offset", K::hex, "of the given address in it, bytes"}},
      .view = {.table = {column("ADDRESS", "address"), column("TYPE", "type"),
                         column("NAME", "name"), column("OFFSET", "offset"),
                         number_column("SIZE", "size"), column("MODULE", "module")}},
      .examples = {"symbol vm_list", "sym ffffffffc0a1b2c3"},
      .run = find,
  };
}

}  // namespace kvmscope
