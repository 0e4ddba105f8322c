#include "tests/support/fake_kernel_module.hpp"

#include <elf.h>

#include <cctype>

namespace kvmscope {
namespace {

VirtAddr write_note(FakeMemory& memory, const std::string& build_id) {
  const VirtAddr page = memory.allocate_page();
  if (build_id.empty()) return page;
  // Not the first note of the page: what stands before it must be skipped.
  memory.write(page, std::string_view("\4\0\0\0\4\0\0\0\1\0\0\0Xen\0abcd", 20));
  const std::array<std::uint32_t, 4> header = {4, static_cast<std::uint32_t>(build_id.size() / 2),
                                               NT_GNU_BUILD_ID, 0x00554e47};
  memory.write(page + 20, std::as_bytes(std::span(header)));
  for (std::size_t i = 0; i < build_id.size(); i += 2) {
    const auto byte = static_cast<std::byte>(std::stoul(build_id.substr(i, 2), nullptr, 16));
    memory.write(page + 36 + i / 2, Bytes(&byte, 1));
  }
  return page;
}

VirtAddr write_symbols(FakeMemory& memory, const std::vector<Symbol>& symbols) {
  std::vector<Elf64_Sym> entries(1);  // the first is always empty
  std::string names(1, '\0');
  for (const Symbol& symbol : symbols) {
    const bool local = std::islower(static_cast<unsigned char>(symbol.type)) != 0;
    const bool function = std::tolower(static_cast<unsigned char>(symbol.type)) == 't';
    Elf64_Sym entry{};
    entry.st_name = static_cast<Elf64_Word>(names.size());
    entry.st_info = ELF64_ST_INFO(local ? STB_LOCAL : STB_GLOBAL, function ? STT_FUNC : STT_OBJECT);
    entry.st_value = symbol.address;
    entry.st_size = symbol.size;
    entries.push_back(entry);
    names += symbol.name + '\0';
  }
  const VirtAddr table = memory.allocate(entries.size() * sizeof(Elf64_Sym));
  memory.write(table, std::as_bytes(std::span(entries)));
  const VirtAddr kallsyms = memory.allocate("mod_kallsyms");
  memory.set(kallsyms, "mod_kallsyms", "symtab", table.value);
  memory.set(kallsyms, "mod_kallsyms", "num_symtab", entries.size());
  memory.set(kallsyms, "mod_kallsyms", "strtab", memory.string(names).value);
  return kallsyms;
}

}  // namespace

FakeModulePlaces add_module(FakeMemory& memory, const FakeModule& module, VirtAddr head) {
  FakeModulePlaces places;
  places.module = memory.allocate("module");
  places.rodata = write_note(memory, module.build_id);
  memory.write(memory.member(places.module, "module", "name"), module.name);
  memory.set(places.module, "module", {"mem[2].base", "core_layout.base"}, places.rodata.value);
  memory.set(places.module, "module", {"mem[2].size", "core_layout.ro_size"}, page_size);
  // Since v6.4 text and read-only data are apart; before, they share core_layout.
  if (memory.try_set(places.module, "module", {"mem[0].base"}, memory.allocate_page().value))
    memory.set(places.module, "module", "mem[0].size", page_size);
  else
    memory.set(places.module, "module", "core_layout.size", page_size);
  if (module.has_kallsyms) {
    places.kallsyms = write_symbols(memory, module.symbols);
    memory.set(places.module, "module", "kallsyms", places.kallsyms.value);
  }
  memory.list_add_tail(memory.member(places.module, "module", "list"), head);
  return places;
}

}  // namespace kvmscope
