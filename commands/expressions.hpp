// Expressions on a command line: what their names mean in a session, and how values are shown.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/shell/session.hpp"
#include "core/expression/evaluate.hpp"
#include "core/object/format.hpp"

namespace kvmscope {

// Global variables and functions of the kernel in the target, and the session's $variables.
class SessionScope : public Scope {
 public:
  explicit SessionScope(Session& session) : session_(session) {}
  // Throws Error{unavailable} when there is no target.
  std::optional<Object> symbol(std::string_view name) const override;
  std::optional<Object> variable(std::string_view name) const override;
  void assign(std::string_view name, const Object& value) override;
  std::vector<std::string> names() const override;

 private:
  Session& session_;
};

// Throws what evaluate() throws.
Object evaluate(Session& session, std::string_view expression);
// The address that an expression gives: a number, a pointer, or where a struct or array lies.
std::uint64_t evaluate_address(Session& session, std::string_view expression);

// "struct kvm", "u64 [4]", and "kvm": a struct, union, enum or typedef of that name.
// Throws Error{usage} that has a column.
const Type& named_type(const Types& types, std::string_view name);

// "kvm_vcpu_ioctl+0x10 [kvm]"; empty when no symbol is near.
std::string symbol_text(Session& session, std::uint64_t address);
// The symbol that contains `address`; none when the nearest one ends before it.
std::optional<Symbol> symbol_around(const Kernel& kernel, std::uint64_t address);

// --depth, --elements, --hex, --decimal, --raw: declared here, read there.
std::vector<Option> format_options();
FormatOptions format_options(Session& session, const Arguments& args);

// The text as a value of a record: lost when nothing of it could be read. `notes` gets a line
// when parts could not.
Value formatted_value(const Formatted& formatted, std::vector<std::string>& notes);

}  // namespace kvmscope
