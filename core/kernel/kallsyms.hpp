// The kernel's own symbol table, read from the dump: symbols without any file.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/vmcoreinfo.hpp"
#include "core/memory/reader.hpp"
#include "core/types/source.hpp"

namespace kvmscope {

// kernel/kallsyms.c, scripts/kallsyms.c. Its tables are named in VMCOREINFO since
// v6.0 (f09bddbd8661); a kernel with CONFIG_KALLSYMS_ALL lists data symbols too.
class Kallsyms : public SymbolSource {
 public:
  // Whether VMCOREINFO names what is needed.
  static bool available(const VmCoreInfo& info);

  // Names in `wanted` are found in the first pass, others cost a pass of their own
  // (10 to 30 ms). Keeps references. Throws Error{corrupt} or Error{fault}.
  Kallsyms(const VmCoreInfo& info, const VirtReader& memory, std::vector<std::string> wanted);

  std::optional<Symbol> find(std::string_view name) const override;
  std::optional<Symbol> nearest(std::uint64_t address) const override;
  std::vector<std::string> names(std::string_view prefix, std::size_t limit) const override;

 private:
  enum class Encoding { absolute_percpu, relative };
  struct Entry {
    std::uint64_t index;
    char type;
    std::string_view name;
  };

  // Calls `visit` for every name until it returns false.
  void each(const std::function<bool(const Entry&)>& visit) const;
  void first_pass();
  std::uint64_t address_of(std::uint64_t index, Encoding encoding) const;
  Symbol symbol(const Entry& entry) const;

  const VmCoreInfo& info_;
  std::vector<std::string> wanted_;
  std::vector<std::byte> names_;  // kallsyms_names
  std::vector<std::int32_t> offsets_;
  std::vector<std::string> tokens_;
  std::uint64_t base_ = 0;
  Encoding encoding_ = Encoding::absolute_percpu;
  mutable std::map<std::string, std::optional<Symbol>, std::less<>> found_;
};

}  // namespace kvmscope
