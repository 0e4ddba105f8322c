#include "dwarf/location_machine.hpp"

#include "core/base/bits.hpp"

namespace kvmscope::dwarf {
namespace {

// General purpose registers in DWARF's numbering of x86-64; 16 is the return address.
constexpr unsigned registers = 16;

// Operations that end the search, and what they mean for who asks.
struct Dead {
  unsigned from, to;  // inclusive
  const char* reason;
};
constexpr Dead dead_operations[] = {
    {DW_OP_entry_value, DW_OP_entry_value, "only its value at the function's entry is known"},
    {DW_OP_GNU_entry_value, DW_OP_GNU_entry_value,
     "only its value at the function's entry is known"},
    {DW_OP_implicit_pointer, DW_OP_implicit_pointer, "it points to what was optimised out"},
    {DW_OP_GNU_implicit_pointer, DW_OP_GNU_implicit_pointer, "it points to what was optimised out"},
    {DW_OP_piece, DW_OP_piece, "it is kept in several pieces"},
    {DW_OP_bit_piece, DW_OP_bit_piece, "it is kept in several pieces"},
    {DW_OP_addr, DW_OP_addr, "it is a static variable"},
    {DW_OP_addrx, DW_OP_addrx, "it is a static variable"},
    {DW_OP_GNU_addr_index, DW_OP_GNU_addr_index, "it is a static variable"},
};

class Machine {
 public:
  Machine(Dwarf_Attribute& attribute, const Locations& locations, std::uint64_t address)
      : attribute_(attribute), locations_(locations), address_(address) {}

  CodeLocation run(std::span<const Dwarf_Op> operations) {
    if (operations.empty()) return lost("it was optimised out here");
    for (const Dwarf_Op& operation : operations) {
      const bool is_last = &operation == &operations.back();
      // What names a place that is no address on the stack ends an expression.
      if (!reason_.empty() || (done_ && operation.atom != DW_OP_nop)) break;
      step(operation);
      if (done_ && !is_last && reason_.empty()) reason_ = reason_for((&operation + 1)->atom);
    }
    if (reason_.empty() && stack_.empty()) reason_ = computed;
    if (!reason_.empty()) return lost(reason_);
    CodeLocation result = std::move(stack_.back());
    result.is_value = done_;
    return result;
  }

 private:
  static constexpr const char* computed = "it is computed, not kept anywhere";

  static CodeLocation lost(std::string reason) {
    CodeLocation location;
    location.lost = std::move(reason);
    return location;
  }

  static std::string reason_for(unsigned atom) {
    for (const Dead& dead : dead_operations)
      if (atom >= dead.from && atom <= dead.to) return dead.reason;
    return computed;
  }

  void push(std::optional<unsigned> base, std::uint64_t offset) {
    if (base && *base >= registers)
      reason_ = "it is in a register that a probe cannot read";
    else
      stack_.push_back({.base = base, .offsets = {static_cast<std::int64_t>(offset)}});
  }

  void push(CodeLocation frame, std::uint64_t offset) {
    if (!frame.lost.empty()) {
      reason_ = frame.lost;
      return;
    }
    add(frame, offset);
    stack_.push_back(std::move(frame));
  }

  static void add(CodeLocation& value, std::uint64_t number) {
    value.offsets.back() =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(value.offsets.back()) + number);
  }

  void step(const Dwarf_Op& operation) {
    const unsigned atom = operation.atom;
    if (atom >= DW_OP_reg0 && atom <= DW_OP_reg31) return in_register(atom - DW_OP_reg0);
    if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
      return push(atom - DW_OP_breg0, operation.number);
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) return push(std::nullopt, atom - DW_OP_lit0);
    switch (atom) {
      case DW_OP_nop: return;
      case DW_OP_regx: return in_register(static_cast<unsigned>(operation.number));
      case DW_OP_bregx: return push(static_cast<unsigned>(operation.number), operation.number2);
      case DW_OP_fbreg: return push(locations_.frame_base(address_), operation.number);
      case DW_OP_call_frame_cfa: return push(locations_.call_frame(address_), 0);
      case DW_OP_const1u:
      case DW_OP_const1s:
      case DW_OP_const2u:
      case DW_OP_const2s:
      case DW_OP_const4u:
      case DW_OP_const4s:
      case DW_OP_const8u:
      case DW_OP_const8s:
      case DW_OP_constu:
      case DW_OP_consts: return push(std::nullopt, operation.number);
      case DW_OP_implicit_value: return implicit(operation);
      case DW_OP_stack_value: done_ = true; return;
      default: return calculate(operation);
    }
  }

  void in_register(unsigned number) {
    push(number, 0);
    done_ = true;
  }

  void implicit(const Dwarf_Op& operation) {
    Dwarf_Block block;
    if (dwarf_getlocation_implicit_value(&attribute_, &operation, &block) != 0 || block.length > 8)
      reason_ = "it is a constant longer than a probe can record";
    else
      push(std::nullopt, load_unsigned({reinterpret_cast<const std::byte*>(block.data),
                                        static_cast<std::size_t>(block.length)}));
    done_ = true;
  }

  void calculate(const Dwarf_Op& operation) {
    const bool has_operand = !stack_.empty();
    if (operation.atom == DW_OP_plus_uconst && has_operand) {
      add(stack_.back(), operation.number);
    } else if (operation.atom == DW_OP_deref && has_operand && stack_.back().offsets.size() < 8) {
      stack_.back().offsets.push_back(0);
    } else if ((operation.atom == DW_OP_plus || operation.atom == DW_OP_minus) &&
               stack_.size() >= 2) {
      add_operands(operation.atom == DW_OP_minus);
    } else {
      reason_ = reason_for(operation.atom);
    }
  }

  // One of the two must be a known number.
  void add_operands(bool subtract) {
    CodeLocation right = std::move(stack_.back());
    stack_.pop_back();
    CodeLocation& left = stack_.back();
    const auto is_number = [](const CodeLocation& value) {
      return !value.base && value.offsets.size() == 1;
    };
    if (!is_number(right) && !subtract && is_number(left)) std::swap(left, right);
    if (!is_number(right)) {
      reason_ = computed;
      return;
    }
    const auto number = static_cast<std::uint64_t>(right.offsets.back());
    add(left, subtract ? 0 - number : number);
  }

  Dwarf_Attribute& attribute_;
  const Locations& locations_;
  std::uint64_t address_;
  std::vector<CodeLocation> stack_;
  bool done_ = false;
  std::string reason_;
};

}  // namespace

CodeLocation run_expression(std::span<const Dwarf_Op> operations, Dwarf_Attribute& attribute,
                            const Locations& locations, std::uint64_t address) {
  return Machine(attribute, locations, address).run(operations);
}

}  // namespace kvmscope::dwarf
