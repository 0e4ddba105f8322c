// What a fake kernel is reached through: a dump, a debug file, a System.map, all in memory.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/memory/buffer.hpp"
#include "core/memory/dump.hpp"
#include "core/types/layout_source.hpp"

namespace kvmscope {

// Symbols in a map: a System.map, or the symbols of a debug file.
class FakeSymbols : public SymbolSource {
 public:
  void add(Symbol symbol) {
    const std::string name = symbol.name;
    symbols_.insert_or_assign(name, std::move(symbol));
  }
  void remove(std::string_view name) { symbols_.erase(symbols_.find(name)); }

  std::optional<Symbol> find(std::string_view name) const override {
    const auto found = symbols_.find(name);
    return found == symbols_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<Symbol> nearest(std::uint64_t address) const override {
    std::optional<Symbol> best;
    for (const auto& [name, symbol] : symbols_)
      if (symbol.address <= address && (!best || symbol.address > best->address)) best = symbol;
    return best;
  }
  std::vector<std::string> names(std::string_view prefix, std::size_t limit) const override {
    std::vector<std::string> names;
    for (const auto& [name, symbol] : symbols_)
      if (name.starts_with(prefix) && names.size() < limit) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, Symbol, std::less<>> symbols_;
};

// A dump over memory that somebody else keeps.
class FakeDump : public Dump {
 public:
  FakeDump(const BufferReader<PhysAddr>& memory, std::optional<std::string> vmcoreinfo)
      : memory_(memory), vmcoreinfo_(std::move(vmcoreinfo)) {}

  const PhysReader& memory() const override { return memory_; }
  std::optional<std::string> vmcoreinfo() const override { return vmcoreinfo_; }
  std::string format() const override { return "fake"; }
  std::vector<PhysRange> ranges() const override { return {{{0}, {1ULL << 30}}}; }
  ReadCounts counts() const override { return memory_.counts(); }

 private:
  const BufferReader<PhysAddr>& memory_;
  std::optional<std::string> vmcoreinfo_;
};

// A debug file whose types and symbols somebody else keeps.
class FakeDebugFile : public DebugFile {
 public:
  FakeDebugFile(std::string path, std::string build_id, const TypeSource& types,
                const SymbolSource& symbols)
      : path_(std::move(path)), build_id_(std::move(build_id)), types_(types), symbols_(symbols) {}

  const std::string& path() const override { return path_; }
  const std::string& build_id() const override { return build_id_; }
  bool has_types() const override { return true; }
  const TypeSource& types() const override { return types_; }
  const SymbolSource& symbols() const override { return symbols_; }
  const Type* variable_type(std::string_view name) const override {
    return name == "vm_list" ? types_.find(TypeKind::structure, "list_head") : nullptr;
  }
  const CodeSource& code() const override { return no_code(); }

 private:
  std::string path_;
  std::string build_id_;
  const TypeSource& types_;
  const SymbolSource& symbols_;
};

// Finds the files that were put in, by module name; remembers what was asked for.
class FakeFinder : public DebugFinder {
 public:
  struct File {
    std::string build_id;
    const TypeSource& types;
    const SymbolSource& symbols;
  };
  std::map<std::string, File, std::less<>> files;
  std::map<std::string, File, std::less<>> servers;  // what has to be fetched
  const SymbolSource* map = nullptr;
  std::shared_ptr<LayoutSource> layout;      // what stands in for files
  mutable std::vector<std::string> asked;    // "vmlinux", "kvm"
  mutable std::vector<std::string> fetched;  // likewise

  DebugSearch find(std::string_view module, std::string_view,
                   std::string_view build_id) const override {
    asked.emplace_back(module);
    DebugSearch search;
    const std::string path = "fake/" + std::string(module);
    search.tried.push_back(path);
    const auto found = files.find(module);
    if (found == files.end()) return search;
    const File& file = found->second;
    take(search, path, file, build_id);
    return search;
  }
  LayoutSearch find_layout(const BuildIdOf&) const override { return {layout, {}}; }
  bool can_fetch() const override { return !servers.empty(); }
  DebugSearch fetch(std::string_view module, std::string_view build_id) const override {
    fetched.emplace_back(module);
    DebugSearch search;
    const auto found = servers.find(module);
    if (found == servers.end())
      search.rejected.push_back("no server has it");
    else
      take(search, "cache/" + std::string(module), found->second, build_id);
    return search;
  }
  const SymbolSource* system_map() const override { return map; }

 private:
  static void take(DebugSearch& search, const std::string& path, const File& file,
                   std::string_view build_id) {
    if (!build_id.empty() && file.build_id != build_id)
      search.rejected.push_back(path + " has build-id " + file.build_id);
    else
      search.file = std::make_unique<FakeDebugFile>(path, file.build_id, file.types, file.symbols);
  }
};

}  // namespace kvmscope
