// Expressions against the small kvm of object_fixture.hpp: `vm` is a global variable.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/expression/evaluate.hpp"
#include "core/object/format.hpp"
#include "tests/core/object/object_fixture.hpp"

namespace kvmscope {

class ExpressionFixture : public ObjectFixture, protected Scope {
 protected:
  std::optional<Object> symbol(std::string_view name) const override {
    const auto found = symbols.find(name);
    if (found == symbols.end()) return std::nullopt;
    return Object::reference(sources, memory, *found->second.first, found->second.second);
  }
  std::optional<Object> variable(std::string_view name) const override {
    const auto found = variables.find(name);
    return found != variables.end() ? std::optional(found->second) : std::nullopt;
  }
  void assign(std::string_view name, const Object& value) override {
    variables.insert_or_assign(std::string(name), value);
  }
  std::vector<std::string> names() const override { return {"vm", "mystery"}; }
  // sum(…) of any numbers.
  std::optional<Object> call(std::string_view name, const std::vector<Object>& arguments) override {
    if (name != "sum") return std::nullopt;
    std::uint64_t sum = 0;
    for (const Object& argument : arguments) sum += argument.as_unsigned();
    return Object::value(sources, memory, fake.s32(), sum);
  }

  void SetUp() override {
    symbols["vm"] = {&type(TypeKind::structure, "vm"), vm};
    symbols["mystery"] = {&void_type(), label};
    symbols["handler"] = {&fake.function(fake.s32()), VirtAddr{0xffffffffc0001230}};
  }

  Object value(std::string_view text) { return evaluate(text, sources, memory, *this); }
  std::uint64_t number(std::string_view text) { return value(text).as_unsigned(); }
  std::int64_t signed_number(std::string_view text) { return value(text).as_signed(); }
  // Type and value: "(int)5".
  std::string shown(std::string_view text) { return format(value(text)).text; }

  struct Failure {
    std::string message;
    std::optional<std::size_t> column;
    ErrorKind kind = ErrorKind::internal;
  };
  Failure failure(std::string_view text) {
    try {
      format(value(text));
    } catch (const Error& error) {
      return {error.message(), error.column(), error.kind()};
    }
    return {"no error", std::nullopt};
  }

  std::map<std::string, std::pair<const Type*, VirtAddr>, std::less<>> symbols;
  std::map<std::string, Object, std::less<>> variables;
};

}  // namespace kvmscope
