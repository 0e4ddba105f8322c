// print: the value of a C expression.

#include "commands/catalogue.hpp"
#include "commands/expressions.hpp"

namespace kvmscope {
namespace {

void print_value(Session& session, const Arguments& args, RowSink& rows) {
  const std::string expression = args.text("EXPR").value();
  const Object object = evaluate(session, expression);
  Record record;
  Value value = formatted_value(format(object, format_options(session, args)), record.notes);
  const std::optional<VirtAddr> address = object.address();
  record.values = {expression, type_name(object.type()), address ? Value{Hex(*address)} : Value{},
                   std::move(value), type_name(object.type())};
  rows.add(std::move(record));
}

std::string block(const RecordView& record) {
  return fmt::format("({}){}", record.text("type"), record.text("value"));
}

}  // namespace

Command print() {
  using K = ColumnKind;
  return {
      .names = {"print", "p"},
      .summary = "print the value of a C expression",
      .details =
          "The expression is C as the kernel's debug info knows it: members (a.b, a->b),\n"
          "elements, *, &, casts, arithmetic, comparison, ?:, sizeof, offsetof(type, member)\n"
          "and container_of(pointer, type, member). Names are global variables of the kernel\n"
          "and its modules. 16 hex digits are an address. `$name = EXPR` keeps a value.\n"
          "Without a dump, sizes and offsets still work: print sizeof(struct kvm).",
      .needs = Needs::debug_info,
      .reads_target = true,
      .arguments = {{"EXPR", ArgumentKind::expression, "a C expression"}},
      .options = format_options(),
      .columns = {{"expression", K::text, "as it was given"},
                  {"type", K::text, "its C type"},
                  {"address", K::hex, "where the value lies; null when nowhere in memory"},
                  {"value", K::text, "its value as a C initialiser"},
                  {"object_type", K::text, "what lies at the address", {}, true}},
      .view = {.block = block},
      .examples = {"print vm_list", "p *(struct kvm_mmu_page *)ffff8b1e0495bac8 --depth 1",
                   "p $kvm = container_of(vm_list.next, struct kvm, vm_list)",
                   "p &((struct kvm *)0)->arch"},
      .run = print_value,
  };
}

}  // namespace kvmscope
