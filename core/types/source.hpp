// Where types, symbols and debug files come from.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types/code.hpp"
#include "core/types/type.hpp"

namespace kvmscope {

// Types by name. `dwarf` implements it for debug files, tests in memory.
class TypeSource {
 public:
  virtual ~TypeSource() = default;
  // The complete definition of a named type, nullptr when this source has none
  // (a mere declaration is none). `kind` structure, union_type, enumeration,
  // typedef_type, or integer for any base type ("unsigned long", "_Bool").
  virtual const Type* find(TypeKind kind, std::string_view name) const = 0;
  // Up to `limit` names of that kind that start with `prefix`, for completion.
  virtual std::vector<std::string> names(TypeKind kind, std::string_view prefix,
                                         std::size_t limit) const = 0;
};

struct Symbol {
  std::string name;
  std::uint64_t address = 0;  // as its source knows it: link time or run time
  std::uint64_t size = 0;     // 0: unknown
  char type = '?';            // as in nm: T text, D data, B bss, R read-only; lower case: local
  std::string module;         // empty: vmlinux
};

class SymbolSource {
 public:
  virtual ~SymbolSource() = default;
  virtual std::optional<Symbol> find(std::string_view name) const = 0;
  // The symbol that contains or precedes `address`.
  virtual std::optional<Symbol> nearest(std::uint64_t address) const = 0;
  virtual std::vector<std::string> names(std::string_view prefix, std::size_t limit) const = 0;
};

// One debug file (vmlinux, kvm.ko, kvm.ko.debug): opened, its parts loaded on demand.
class DebugFile {
 public:
  virtual ~DebugFile() = default;
  virtual const std::string& path() const = 0;
  // Hex, lower case; empty: the file has none.
  virtual const std::string& build_id() const = 0;
  virtual bool has_types() const = 0;
  virtual const TypeSource& types() const = 0;
  // Link-time addresses for vmlinux, offsets into sections for a module.
  virtual const SymbolSource& symbols() const = 0;
  // The type of a variable, where DWARF has it; nullptr otherwise.
  virtual const Type* variable_type(std::string_view name) const = 0;
  // Functions, lines and places of variables; knows nothing where there is no debug info.
  virtual const CodeSource& code() const = 0;
};

// What a search for a debug file came to.
struct DebugSearch {
  std::unique_ptr<DebugFile> file;    // nullptr: not found
  std::vector<std::string> tried;     // paths looked at, for the error message
  std::vector<std::string> rejected;  // "PATH has build-id X" of other builds
};

class LayoutSource;

// What a search for a layout that is no debug file came to.
struct LayoutSearch {
  std::shared_ptr<LayoutSource> layout = {};  // nullptr: none
  std::vector<std::string> rejected = {};     // why those that were named are not used
};

// What is known of a module's build in the target, hex; "" when it is not known.
using BuildIdOf = std::function<std::string(std::string_view module)>;

// Finds and opens debug files: `-s` paths first, else the system's folders.
class DebugFinder {
 public:
  virtual ~DebugFinder() = default;
  // What stands in for debug files, for a target of these builds.
  virtual LayoutSearch find_layout(const BuildIdOf& /*build_id_of*/) const { return {}; }
  // `module`: "vmlinux", "kvm", "kvm-amd" (`_` and `-` are the same). `release`: uname -r,
  // empty when unknown. With a build-id only a file of that build is taken.
  virtual DebugSearch find(std::string_view module, std::string_view release,
                           std::string_view build_id) const = 0;
  // Whether there are servers that may be asked.
  virtual bool can_fetch() const { return false; }
  // The file of that build from one of them. Precondition: can_fetch().
  virtual DebugSearch fetch(std::string_view /*module*/, std::string_view /*build_id*/) const {
    return {};
  }
  // The System.map given with -s, if one was: symbols of vmlinux.
  virtual const SymbolSource* system_map() const = 0;
};

}  // namespace kvmscope
