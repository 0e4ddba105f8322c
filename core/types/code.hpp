// Where compiled code is, and where its variables are: functions, inlined copies, calls, lines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types/type.hpp"

namespace kvmscope {

// Addresses of code are those of link time. A module has none before it is loaded: there .text
// starts at 0 and the other code sections follow it, in this numbering alone. Symbols are how
// everyone else names a place.
struct CodeRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  // exclusive
  bool operator==(const CodeRange&) const = default;
};

struct CodePlace {
  std::uint64_t address = 0;
  // A function symbol of that section that no other function has the name of, so that the kernel
  // finds the right one; it need not be the function that the address is in. Empty: there is none.
  std::string symbol = {};
  std::uint64_t offset = 0;  // from `symbol`
};

// "mmu_sync_children+0x1a", "mmu_sync_children", "0x1234" without a symbol.
std::string place_name(const CodePlace& place);

// One copy of a function: out of line, or inlined into another.
struct CodeBlock {
  std::uint64_t id = 0;     // for the source that it came from
  std::string name = {};    // of the source code: "mmu_unsync_walk"
  std::string inside = {};  // the out-of-line function that holds it; its own name if it is one
  bool is_inlined = false;
  CodePlace entry = {};  // where it is entered; of one out of line the first instruction
  std::vector<CodeRange> ranges = {};  // its code, inlined functions included; not empty
  TypeRef result = {};                 // what it returns; empty: void
};

// A call that the debug info lists; calls through a pointer and tail calls are none.
struct CodeCall {
  CodePlace instruction = {};  // the call itself: its arguments are in place
  CodePlace after = {};        // where it returns to
};

// The code of a source line, one place for each copy of the function that has it.
struct LinePlace {
  std::string file = {};  // as the compiler was told: "arch/x86/kvm/mmu/mmu.c"
  unsigned line = 0;
  std::string inside = {};  // the function of the line; the inlined one where it is inlined
  CodePlace place = {};
};

// Where a value is at one address: ((base + offsets[0]) read at, + offsets[1]) read at, and so on.
// `is_value`: the result is the value; otherwise it is the address of the variable in memory.
struct CodeLocation {
  std::optional<unsigned> base = {};       // register by its number in DWARF; none: 0, a constant
  std::vector<std::int64_t> offsets = {};  // not empty unless the value is lost
  bool is_value = false;
  std::string lost = {};  // why there is no value here; empty: there is one
};

struct CodeVariable {
  std::string name = {};
  std::string function = {};  // whose it is, which may be one that was inlined
  TypeRef type = {};
  bool is_parameter = false;
  CodeLocation location = {};  // at the address asked for
  // Where it has a location at all; empty: nowhere, or the same everywhere.
  std::vector<CodeRange> available = {};
};

// The code of one debug file. `dwarf` implements it, tests in memory.
class CodeSource {
 public:
  virtual ~CodeSource() = default;
  // Every copy of a function, those out of line first; name.part.0, name.constprop.0 and the like
  // count as copies of `name`.
  virtual std::vector<CodeBlock> copies(std::string_view name) const = 0;
  // The copies of `name` that were inlined into `block`, at any depth, outermost first.
  virtual std::vector<CodeBlock> inlined(const CodeBlock& block, std::string_view name) const = 0;
  // Calls of `callee` (or its .part, .constprop…) from the code of `block`, by address.
  virtual std::vector<CodeCall> calls(const CodeBlock& block, std::string_view callee) const = 0;
  // The innermost copies that hold the address, outermost first; empty: no function there.
  virtual std::vector<CodeBlock> blocks_at(std::uint64_t address) const = 0;
  // `file` is a path or its end ("mmu.c", "mmu/mmu.c"). A line without code has no places.
  virtual std::vector<LinePlace> lines(std::string_view file, unsigned line) const = 0;
  // The lines next to this one that have code, the nearest first, at most `limit`.
  virtual std::vector<unsigned> lines_near(std::string_view file, unsigned line,
                                           std::size_t limit) const = 0;
  // "arch/x86/kvm/mmu/mmu.c:2446" of an address; empty: not known.
  virtual std::string line_at(std::uint64_t address) const = 0;
  // Parameters and locals in scope, innermost first; a name may come again from further out.
  virtual std::vector<CodeVariable> variables(std::uint64_t address) const = 0;
  // How the kernel finds an address of this file.
  virtual CodePlace place(std::uint64_t address) const = 0;
  // Up to `limit` names of functions with code, for completion and "did you mean".
  virtual std::vector<std::string> functions(std::string_view prefix, std::size_t limit) const = 0;
};

// Of a file without debug info: nothing is known.
const CodeSource& no_code();

}  // namespace kvmscope
