// Reads snapshots record by record: nothing of a file is held but the record that is read.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/snapshot/source.hpp"

namespace kvmscope::snapshots {

// A value as JSON has it; a list of texts is one text with commas. Lists of records, and values
// that were lost, are nothing.
struct Scalar {
  enum class Kind { nothing, flag, number, text };
  Kind kind = Kind::nothing;
  std::uint64_t bits = 0;  // of a flag or number; of a negative one in two's complement
  std::string text = {};

  bool flag() const { return kind == Kind::flag && bits != 0; }
  // Also of a text "0x1f".
  std::optional<std::uint64_t> number() const;
};

class Fields {
 public:
  // A value without a kind when there is none of that name.
  const Scalar& operator[](std::string_view name) const;
  std::uint64_t number(std::string_view name) const { return (*this)[name].number().value_or(0); }
  const std::string& text(std::string_view name) const { return (*this)[name].text; }
  bool flag(std::string_view name) const { return (*this)[name].flag(); }

  void clear() { used_ = 0; }
  Scalar& add(std::string_view name);
  Scalar* last() { return used_ != 0 ? &fields_[used_ - 1].value : nullptr; }

 private:
  struct Field {
    std::string name;
    Scalar value;
  };
  std::vector<Field> fields_;  // more than are in use: their memory is used again
  std::size_t used_ = 0;
};

struct Visitor {
  // A member of the document: "time", "host.name", "kernel.release"; of a list each item.
  std::function<void(std::string_view name, const Scalar&)> member = {};
  // A record of a VM: section "vm", "roots", "pages"…; the lists inside records ("by_role",
  // "runs") are sections, too, and come after the record that they are in began; that one
  // comes again at its end, as section "trees/end", with what stands behind its lists. Section
  // "incomplete" has a record with the field "name" for each section that is.
  std::function<void(std::string_view vm, std::string_view section, const Fields&)> record = {};
};

// The schema must come first, and the values of a record before the lists in it, as they are
// written. Throws Error{unavailable} that says what is wrong when the file is no snapshot, of
// another version, or cut short; and what the source throws.
void read_snapshot(Source& source, const Visitor& visitor);

}  // namespace kvmscope::snapshots
