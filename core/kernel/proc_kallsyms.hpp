// The symbols of the kernel that runs, from /proc/kallsyms.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.hpp"
#include "core/types/source.hpp"

namespace kvmscope {

// Lines of kernel/kallsyms.c: "ffffffff81000000 T _text", "ffffffffc0416000 t kvm_init\t[kvm]".
// The file is opened once, as the user who may see addresses (it shows what that one may see), and
// read at the first look-up, and again for each further pass.
class ProcKallsyms : public SymbolSource {
 public:
  using Names = std::set<std::string, std::less<>>;

  // The first pass finds the names in `wanted` among vmlinux's symbols, and keeps all symbols of
  // `modules`, which should be loaded: it ends when it has those of each. Throws Error{unavailable}
  // when the file cannot be opened; a look-up, when it shows no addresses: `kptr_restrict` is what
  // that setting is, for the message.
  ProcKallsyms(std::string path, Names wanted, Names modules, std::string kptr_restrict,
               OpenLog* log = nullptr);

  // Of vmlinux, then of modules. A name that was not wanted costs a pass, once if it is vmlinux's.
  std::optional<Symbol> find(std::string_view name) const override;
  // `module`: "vmlinux" or a module's name, with underscores.
  std::optional<Symbol> find(std::string_view module, std::string_view name) const;
  // The first look-up costs a pass; the table it makes is kept until forget().
  std::optional<Symbol> nearest(std::uint64_t address) const override;
  // Costs a pass.
  std::vector<std::string> names(std::string_view prefix, std::size_t limit) const override;

  // Modules may come and go from now on.
  void forget() const { by_address_ = {}; }

 private:
  struct Line {
    std::string_view address;  // 16 hex digits
    char type = '?';
    std::string_view name;
    std::string_view module;  // empty: vmlinux
  };
  struct Place {
    std::uint64_t address = 0;
    std::uint32_t name = 0;    // in `text`
    std::uint32_t module = 0;  // in `modules`
    char type = '?';
  };
  // Many symbols in little memory.
  struct Table {
    std::vector<Place> places;
    std::string text;  // names one after the other, each with a 0 behind it
    std::vector<std::string> modules;

    void add(const Line& line);
    std::string_view name(const Place& place) const { return text.c_str() + place.name; }
    Symbol symbol(const Place& place) const;
  };

  // Calls `visit` for every line until it returns false.
  void each(const std::function<bool(const Line&)>& visit) const;
  // Once.
  void first_pass() const;
  std::optional<Symbol> find_kept(std::string_view module, std::string_view name) const;
  Table sorted() const;
  static Symbol symbol(const Line& line);
  static bool parse(std::string_view text, Line& line);

  std::string path_;
  FileDescriptor file_;
  Names wanted_;
  Names modules_;
  std::string kptr_restrict_;
  mutable bool passed_ = false;
  mutable Table kept_;  // all symbols of modules_
  mutable std::map<std::string, std::optional<Symbol>, std::less<>>
      vmlinux_;  // that were asked for
  mutable Table by_address_;
};

}  // namespace kvmscope
