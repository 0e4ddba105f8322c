#include "commands/lua/api.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "commands/lua/errors.hpp"
#include "commands/lua/objects.hpp"

namespace kvmscope::lua {
namespace {

struct Entry {
  std::string_view usage;
  std::string_view help;
};

struct Section {
  std::string_view title;
  std::vector<Entry> entries;
};

constexpr std::string_view introduction =
    "A program has Lua's own base functions, table, string, math and utf8. It cannot open files\n"
    "or start processes; --unsafe-lua adds io, os and package. `lua CODE` prints what an\n"
    "expression is, `lua` alone is a prompt, `run FILE.lua ARG...` and, as an option of kvmscope,\n"
    "-x FILE.lua ARG... run a program.\n"
    "\n"
    "Integers have 64 bits, and %x and %u take them as unsigned; math.ult(a, b) compares them so.\n"
    "An error of the target is a Lua error, caught by pcall(), with .kind (usage, unavailable,\n"
    "fault, corrupt, torn, limit, internal) and .message. The status is that of the error; 2 for\n"
    "an error of the program. Ctrl-C, --lua-seconds and --lua-memory end a program for good.";

const std::vector<Section>& sections() {
  static const std::vector<Section> all = {
      {"KVM",
       {{"vms()",
         "all VMs: the fields of `vms` (vm.n_vcpus, vm.n_slots), then members of struct kvm"},
        {"vm:vcpus()", "its vCPUs: the fields of `vcpus`, then the members of struct kvm_vcpu"},
        {"vm:roots()", "its root slots: the fields of `roots`, then of struct kvm_mmu_page"},
        {"vcpu:roots()", "those of one vCPU"},
        {"vm:pages{unsync=true, level=N, ...}",
         "its shadow pages, by the options of `pages`; the fields of `pages`, then of the struct"},
        {"vm:slots()", "its memslots, the records of `slots`"},
        {"root:walk{level=N, depth=N, ...}", "iterates over the records of `tree`; page:walk too"},
        {"root:path(address)", "the records of `path`; page:path too"},
        {"root:unsync()", "the batches of `unsync`"},
        {"root:levels()", "the records of `levels`; page:levels too"},
        {"vcpu:sample()",
         "its current root {pgd, hpa, valid} with prev, cr3, vcpu and torn "
         "(read in the middle of a switch): one read"},
        {"sample_roots(kvm, vcpu)", "the same by addresses"},
        {"value.object",
         "of a VM, vCPU, root or page: the pointer to its struct, where a field "
         "has a member's name"}}},
      {"Commands",
       {{"command(line)",
         "runs a command; its records are tables by the names of its fields. The "
         "result has .columns, .notes and .status, too"},
        {"cmd.NAME(words, {option=value})", "the same: cmd.pages('0', {level=1})"},
        {"is_lost(value)", "whether a field could not be read; tostring(value) says why"}}},
      {"Kernel objects",
       {{"evaluate(expression[, {name=value}])",
         "the value of a C expression; $name is "
         "the table's or the session's"},
        {"object.member, object[n]",
         "as in C, through pointers too. Integers, enums and booleans are Lua's, read now; "
         "structs, arrays and pointers are objects"},
        {"object:METHOD(...)",
         "the functions below as methods. A member of the same name wins: then call the function"},
        {"value(object)", "the 64 bits of a pointer or number; the address of a struct"},
        {"address(object)", "where it lies; nil when nowhere"},
        {"address_of(object)", "the pointer to it"},
        {"deref(pointer)", "what it points to"},
        {"cast(value, type)", "the value as that C type, which it keeps"},
        {"container_of(pointer, type, member)", "the pointer to the struct around it"},
        {"member(object, path)", "the member with its C type, not yet read: 'arch.mmu'"},
        {"members(object)", "the names of its members"},
        {"snapshot(object)", "a copy, read at once: its members are of one moment"},
        {"is_null(pointer)", "whether it is NULL; pointer == NULL, too"},
        {"c_string(object)", "the text of a char array or pointer; as a method: object:string()"},
        {"sizeof(object or type)", "bytes"},
        {"typeof(value)", "its C type"},
        {"symbol_at(address)", "'kvm_mmu_load+0x10 [kvm]'; '' when no symbol is near"},
        {"NULL", "a pointer that is null"},
        {"+ - * / % << >> & | ~ < <= ==",
         "as in C where an object is on one side: pointers move by elements. == compares two "
         "objects; two numbers are Lua's"},
        {"tostring(object)", "as `print` shows it"}}},
      {"Containers, checked for loops and broken links; an error comes after what was found",
       {{"list(head, type, member)", "iterates over the structs on a list_head, as pointers"},
        {"hlist(head, type, member)", "on a hlist_head"},
        {"rbtree(root, type, member)", "in a rb_root, in order"},
        {"xarray(array[, type])", "index and entry: a pointer to the type, or a number"},
        {"elements(array)", "index and element of a C array; #array is its length"}}},
      {"Output, and the rest",
       {{"fmt(format, ...)",
         "%d %u %x %o %c %e %f %g as in C, of 64 bits; %d of an object by its "
         "type; %s an object on one line; %p an address and its symbol"},
        {"printf(format, ...)", "writes that"},
        {"print(...)", "as in Lua; unprintable bytes are escaped, as everywhere"},
        {"json(value)", "a table as JSON, integers as unsigned numbers"},
        {"json_string(text)", "a JSON string"},
        {"arg", "the program's name [0] and arguments [1]..."},
        {"is_live()", "whether the target is the kernel that runs"},
        {"now()", "seconds, of a clock that only goes forward"},
        {"sleep(seconds)", "waits"},
        {"exit([status])", "ends the program: 0, or 1 for findings"}}}};
  return all;
}

}  // namespace

const std::string& api_text() {
  static const std::string text = [] {
    std::string made(introduction);
    for (const Section& section : sections()) {
      made += fmt::format("\n\n{}:", section.title);
      for (const Entry& entry : section.entries)
        made += fmt::format("\n  {}\n      {}", entry.usage, entry.help);
    }
    return made;
  }();
  return text;
}

void open_api(lua_State* state) {
  for (const auto open : {open_sandbox, open_errors, open_objects, open_object_functions,
                          open_containers, open_commands, open_output, open_sampling, open_model})
    open(state);
}

}  // namespace kvmscope::lua
