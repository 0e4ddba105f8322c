// Types and memory for tests of objects, formats and expressions: a small kvm.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/memory/buffer.hpp"
#include "core/object/object.hpp"
#include "tests/support/fake_types.hpp"

namespace kvmscope {

// One struct vm at `vm`: id -7, name "guest", two roots, one of them in use, on a list of one.
class ObjectFixture : public testing::Test {
 protected:
  static constexpr VirtAddr vm{0xffff888000001000};
  static constexpr VirtAddr mmu{0xffff888000002000};
  static constexpr VirtAddr label{0xffff888000003000};

  ObjectFixture() {
    sources.add("kvm", [this] { return &fake; });
    define_types();
    fill_memory();
  }

  void define_types() {
    fake.enumeration("pg_level", {{"PG_LEVEL_NONE", 0}, {"PG_LEVEL_4K", 1}, {"PG_LEVEL_2M", 2}});
    fake.structure("root", 16, {{"hpa", fake.named("u64"), 0}, {"pgd", fake.named("u64"), 8}});
    Type& word = fake.structure("", 4,
                                {{"level", fake.u32(), 0, 0, 4},
                                 {"direct", fake.u32(), 0, 4, 1},
                                 {"delta", fake.s32(), 0, 5, 3}});
    Type& role = fake.union_type("", 4, {{"word", fake.named("u32"), 0}, {"", word, 0}});
    fake.structure("mmu", 64,
                   {{"root", fake.named("struct root"), 0},
                    {"role", role, 16},
                    {"page_fault", fake.pointer(fake.function(fake.s32())), 24},
                    {"prev_roots", fake.array(fake.named("struct root"), 2), 32}});
    fake.structure(
        "vm", 88,
        {{"id", fake.s32(), 0},
         {"level", fake.named("enum pg_level"), 4},
         {"name", fake.array(fake.character(), 8), 8},
         {"mmu", fake.pointer("struct mmu"), 16},
         {"link", fake.named("struct list_head"), 24},
         {"label", fake.pointer(fake.character()), 40},
         {"pages", fake.array(fake.named("u16"), 8), 48},
         {"", fake.union_type("", 8, {{"used", fake.u64(), 0}, {"raw", fake.u8(), 0}}), 64},
         {"hidden", fake.pointer("struct hidden"), 72},
         {"active", fake.boolean(), 80},
         {"private", fake.pointer(TypeRef()), 80}});
  }

  void fill_memory() {
    memory.add_zeros(vm, 88);
    memory.set_u32(vm, static_cast<std::uint32_t>(-7));
    memory.set_u32(vm + 4, 2);
    memory.add(vm + 8, "guest");
    memory.set_u64(vm + 16, mmu.value);
    memory.set_u64(vm + 24, vm.value + 24);
    memory.set_u64(vm + 32, vm.value + 24);
    memory.set_u64(vm + 40, label.value);
    memory.set<std::uint16_t>(vm + 48, 1);
    memory.set<std::uint16_t>(vm + 50, 2);
    memory.set_u64(vm + 64, 0x123456789);
    memory.add_zeros(label, page_size);
    memory.add(label, "a\"b\n");
    memory.add_zeros(mmu, 64);
    memory.set_u64(mmu, 0x3f153000);
    memory.set_u64(mmu + 8, 0x10f000);
    memory.set_u32(mmu + 16, 0xd4);  // level 4, direct 1, delta -2
  }

  const Type& type(TypeKind kind, std::string_view name) { return sources.get(kind, name); }
  Object vm_object() {
    return Object::reference(sources, memory, type(TypeKind::structure, "vm"), vm);
  }
  Object number(const Type& type, std::uint64_t value) {
    return Object::value(sources, memory, type, value);
  }

  FakeTypes fake;
  Types sources;
  BufferReader<VirtAddr> memory;
};

// The message of the Error that `body` throws, "" when it throws none.
template <typename Body>
std::string error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace kvmscope
