// Objects as text: C initialisers, as a person would write them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/object/object.hpp"

namespace kvmscope {

enum class Radix {
  automatic,  // signed numbers and small ones decimal, others hex
  decimal,
  hex,
};

struct FormatOptions {
  unsigned depth = 64;          // structs and arrays nested deeper are {…}
  std::uint64_t elements = 32;  // of an array that are shown; runs of equal ones count once
  Radix radix = Radix::automatic;
  bool one_line = false;  // no line ends, and no types of members
  bool interpret = true;  // false: no enumerators, no strings, no symbols
  bool type = true;       // the object's own type before its value: (int)5
  // The name behind a function pointer, "kvm_vcpu_ioctl+0x10"; empty when there is none.
  std::function<std::string(std::uint64_t address)> symbolize = {};
};

struct Formatted {
  std::string text;
  std::uint64_t lost = 0;   // parts shown as <cannot read: REASON>
  std::string reason = {};  // of the first of them
  bool all_lost = false;    // nothing of it could be read
};

// The object as text, with line ends between the members of a struct but none at the end. Memory
// that is missing or corrupt costs the members that lie in it, shown with the reason.
// Throws Error{usage} for an object without a value, and when the text grows beyond 64 MiB.
Formatted format(const Object& object, const FormatOptions& options = {});

// C text in quotes, unprintable bytes escaped.
std::string quoted(std::string_view text);

}  // namespace kvmscope
