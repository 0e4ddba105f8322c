#include "dwarf/code_location.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "dwarf/location_machine.hpp"

namespace kvmscope::dwarf {
namespace {

// Entries of a location list; one without end is damage.
constexpr std::size_t max_entries = 100'000;

struct FreeFrame {
  void operator()(Dwarf_Frame* frame) const { std::free(frame); }
};

CodeLocation lost(std::string reason) {
  CodeLocation location;
  location.lost = std::move(reason);
  return location;
}

std::optional<Dwarf_Attribute> attribute_of(const Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  if (dwarf_attr(const_cast<Die*>(&die), name, &attribute) == nullptr) return std::nullopt;
  return attribute;
}

// DW_AT_const_value: the compiler knows it.
CodeLocation constant(const Die& variable) {
  if (!has(variable, DW_AT_const_value)) return lost("it was optimised out");
  std::optional<Dwarf_Attribute> attribute = attribute_of(variable, DW_AT_const_value);
  const unsigned form = dwarf_whatform(&*attribute);
  const bool is_block = form == DW_FORM_block || form == DW_FORM_block1 || form == DW_FORM_block2 ||
                        form == DW_FORM_block4 || form == DW_FORM_string || form == DW_FORM_strp;
  if (is_block) return lost("it is a constant longer than a probe can record");
  CodeLocation location;
  location.offsets = {static_cast<std::int64_t>(number(variable, DW_AT_const_value).value_or(0))};
  location.is_value = true;
  return location;
}

}  // namespace

CodeLocation Locations::at(const Die& variable, std::uint64_t address) const {
  std::optional<Dwarf_Attribute> attribute = attribute_of(variable, DW_AT_location);
  if (!attribute) return constant(variable);
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  const int found = dwarf_getlocation_addr(&*attribute, address, &operations, &count, 1);
  // One operation that libdw does not know (DW_OP_GNU_uninit) must not hide the other variables.
  if (found < 0) return lost("the debug info says where in a way that is not understood");
  if (found == 0) return lost("it was optimised out here");
  return run_expression({operations, count}, *attribute, *this, address);
}

std::vector<CodeRange> Locations::available(const Die& variable) const {
  std::optional<Dwarf_Attribute> attribute = attribute_of(variable, DW_AT_location);
  if (!attribute) return {};
  std::vector<CodeRange> ranges;
  Dwarf_Addr base = 0, begin = 0, end = 0;
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0, entries = 0;
  std::ptrdiff_t at = 0;
  while ((at = dwarf_getlocations(&*attribute, at, &base, &begin, &end, &operations, &count)) > 0) {
    if (begin == 0 && end == ~Dwarf_Addr{0}) return {};
    if (++entries > max_entries) throw_damaged(offset_of(variable), "a location list too long");
    if (begin >= end) continue;
    if (run_expression({operations, count}, *attribute, *this, begin).lost.empty())
      ranges.push_back({begin, end});
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const CodeRange& a, const CodeRange& b) { return a.begin < b.begin; });
  std::vector<CodeRange> merged;
  for (const CodeRange& range : ranges) {
    if (!merged.empty() && range.begin <= merged.back().end)
      merged.back().end = std::max(merged.back().end, range.end);
    else
      merged.push_back(range);
  }
  return merged;
}

CodeLocation Locations::frame_base(std::uint64_t address) const {
  std::optional<Dwarf_Attribute> attribute = attribute_of(function_, DW_AT_frame_base);
  if (!attribute) return lost("the debug info does not say where the stack frame is");
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  const int found = dwarf_getlocation_addr(&*attribute, address, &operations, &count, 1);
  // A frame that counts from itself would never end.
  const bool is_loop =
      found > 0 && std::any_of(operations, operations + count,
                               [](const Dwarf_Op& o) { return o.atom == DW_OP_fbreg; });
  if (found <= 0 || is_loop) return lost("the debug info does not say where the stack frame is");
  // A frame base in a register is the register's value: an address.
  CodeLocation base = run_expression({operations, count}, *attribute, *this, address);
  base.is_value = false;
  return base;
}

CodeLocation Locations::call_frame(std::uint64_t address) const {
  Dwarf_Frame* frame = nullptr;
  if (frames_ == nullptr || dwarf_cfi_addrframe(frames_, address, &frame) != 0)
    return lost("there is no call frame information for this address (.debug_frame)");
  const std::unique_ptr<Dwarf_Frame, FreeFrame> owner(frame);
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_cfa(frame, &operations, &count) != 0 || count != 1 ||
      operations[0].atom == DW_OP_call_frame_cfa)
    return lost("the call frame information for this address is too complex");
  CodeLocation cfa;
  const unsigned atom = operations[0].atom;
  if (atom >= DW_OP_breg0 && atom < DW_OP_breg0 + 16) {
    cfa.base = atom - DW_OP_breg0;
    cfa.offsets = {static_cast<std::int64_t>(operations[0].number)};
  } else if (atom == DW_OP_bregx && operations[0].number < 16) {
    cfa.base = static_cast<unsigned>(operations[0].number);
    cfa.offsets = {static_cast<std::int64_t>(operations[0].number2)};
  } else {
    return lost("the call frame information for this address is too complex");
  }
  return cfa;
}

}  // namespace kvmscope::dwarf
