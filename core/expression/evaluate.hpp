// The value of an expression.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/expression/tree.hpp"
#include "core/object/object.hpp"

namespace kvmscope {

// What the names in an expression stand for.
class Scope {
 public:
  virtual ~Scope() = default;
  // A global variable or function of the kernel, a column of a filter…; none: no such name.
  virtual std::optional<Object> symbol(std::string_view name) const = 0;
  // $name, given without the dollar sign.
  virtual std::optional<Object> variable(std::string_view name) const = 0;
  // name(arguments…), for scopes that offer functions; none: no such function.
  virtual std::optional<Object> call(std::string_view /*name*/,
                                     const std::vector<Object>& /*arguments*/) {
    return std::nullopt;
  }
  // Throws Error{usage} where nothing can be assigned.
  virtual void assign(std::string_view name, const Object& value) = 0;
  // Names to suggest for one that does not exist; may leave out what is too much to list.
  virtual std::vector<std::string> names() const { return {}; }
};

// Reads target memory only where a value depends on it. Throws Error{usage} that has a column,
// Error{fault}; and what the scope throws.
Object evaluate(const Node& node, const Types& types, const VirtReader& memory, Scope& scope);
Object evaluate(std::string_view text, const Types& types, const VirtReader& memory, Scope& scope);

}  // namespace kvmscope
