// --drgn.

#include <gtest/gtest.h>

#include "commands/output/objects.hpp"
#include "tests/commands/output/rendering.hpp"

namespace kvmscope {
namespace {

using K = ColumnKind;
constexpr std::uint64_t some_address = 0xffff888000001000;

RenderSetup objects_of(std::vector<Column> columns, std::string format = "csv") {
  return {.options = {.format = std::move(format), .drgn = true}, .columns = std::move(columns)};
}

TEST(Drgn, ReplacesRecordsByTheObjectsThatTheyName) {
  const Rendered got = render({.options = {.format = "csv", .drgn = true}}, [](RowSink& rows) {
    rows.add(page(some_address, 4));
    rows.add({{Value{}, std::uint64_t{4}, "qemu", true, Words{},
               Records{{{Hex(0x10), std::int64_t{-1}}}, {{Hex(0x20), std::int64_t{7}}}}}});
  });
  EXPECT_EQ(got.out, R"csv(record,field,type,address,drgn,crash
0,sp,struct kvm_mmu_page,0xffff888000001000,"Object(prog, ""struct kvm_mmu_page *"", 0xffff888000001000)",struct kvm_mmu_page 0xffff888000001000
1,parents[0].sp,struct kvm_mmu_page,0x10,"Object(prog, ""struct kvm_mmu_page *"", 0x10)",struct kvm_mmu_page 0x10
1,parents[1].sp,struct kvm_mmu_page,0x20,"Object(prog, ""struct kvm_mmu_page *"", 0x20)",struct kvm_mmu_page 0x20
)csv");
  EXPECT_EQ(got.errors, "");
}

TEST(Drgn, HasAFormForPeople) {
  const Rendered got =
      render(objects_of({{"hpa", K::hex, ""}, {"spt", K::hex, ""}}, "table"), [](RowSink& rows) {
        rows.add({{Hex(0x1000), Hex(some_address)}});
      });
  EXPECT_EQ(got.out,
            "RECORD  FIELD  DRGN                                                   CRASH\n"
            "     0  hpa    prog.read_u64(0x1000, physical=True)                   rd -p 0x1000\n"
            "     0  spt    Object(prog, \"u64 [512]\", address=0xffff888000001000)  "
            "p -x *(u64 (*)[512])0xffff888000001000\n");
}

TEST(Drgn, TakesTheTypeFromAFieldThatTellsIt) {
  const std::vector<Column> columns = {{"object_type", K::text, ""}, {"address", K::hex, ""}};
  const auto crash_of = [&](std::string type) {
    std::string found;
    find_objects(columns, {{std::move(type), Hex(0x10)}}, [&](NamedObject object) {
      found = value_text(drgn_expression(object)) + " | " + value_text(crash_command(object));
    });
    return found;
  };
  EXPECT_EQ(crash_of("struct kvm"), "Object(prog, \"struct kvm *\", 0x10) | struct kvm 0x10");
  EXPECT_EQ(crash_of("u64"), "Object(prog, \"u64\", address=0x10) | p -x *(u64 *)0x10");
  EXPECT_EQ(crash_of("struct kvm *"),
            "Object(prog, \"struct kvm *\", address=0x10) | p -x *(struct kvm **)0x10");
  EXPECT_EQ(crash_of("struct kvm *[4]"),
            "Object(prog, \"struct kvm *[4]\", address=0x10) | p -x *(struct kvm *(*)[4])0x10");
}

// Debug info is not to be trusted: what is pasted must not do anything else.
TEST(Drgn, WritesNoTypeThatIsNotPlain) {
  const std::vector<Column> columns = {{"object_type", K::text, ""}, {"address", K::hex, ""}};
  for (const char* type : {"int (*)(…)", "struct {…}", "x\"); __import__(\"os", "u64\n!sh", "a;b"})
    find_objects(columns, {{std::string(type), Hex(0x10)}}, [](NamedObject object) {
      EXPECT_EQ(drgn_expression(object),
                Value{std::string("Object(prog, \"unsigned long\", address=0x10)")});
      EXPECT_EQ(crash_command(object), Value{std::string("p -x *(unsigned long *)0x10")});
    });
}

TEST(Drgn, TakesTheTypeOfAFindingFromWhatItIs) {
  const std::vector<Column> columns = {{"object", K::text, ""}, {"address", K::hex, ""}};
  std::string types;
  for (const char* object : {"vm", "list", "sp", "spte", "rmap", "slot", "vcpu", "unheard of"})
    find_objects(columns, {{std::string(object), Hex(0x10)}},
                 [&](NamedObject found) { types += found.type + ", "; });
  EXPECT_EQ(types,
            "struct kvm, unsigned long, struct kvm_mmu_page, u64, struct kvm_rmap_head, "
            "struct kvm_memory_slot, struct kvm_vcpu, ");
}

TEST(Drgn, SaysWhyAnAddressIsNotKnownAndKeepsNotes) {
  const Rendered got = render({.options = {.format = "jsonl", .drgn = true}}, [](RowSink& rows) {
    rows.add({.values = {Lost{"no such memory"}, Value{}, Value{}, Value{}, Words{}, Records{}},
              .notes = {"the list ends early"}});
    rows.add({.values = {Value{}, Value{}, Value{}, Value{}, Words{}, Records{}},
              .notes = {"nothing here"}});
  });
  EXPECT_EQ(got.out, R"({"record": 0, "field": "sp", "type": "struct kvm_mmu_page", )"
                     R"("address": {"lost": "no such memory"}, "drgn": null, "crash": null, )"
                     R"("notes": ["the list ends early"]})"
                     "\n");
  EXPECT_EQ(got.errors, "kvmscope: note: nothing here\n");
  EXPECT_EQ(got.status, 4);
}

TEST(Drgn, HasTheTruthOfTheRecordOfALiveKernel) {
  const Rendered got =
      render(objects_of({{"sp", K::hex, ""}, truth_column()}, "csv"), [](RowSink& rows) {
        rows.add({{Hex(0x10), std::string("torn")}});
      });
  EXPECT_NE(got.out.find("crash,truth\n"), std::string::npos) << got.out;
  EXPECT_NE(got.out.find("struct kvm_mmu_page 0x10,torn\n"), std::string::npos) << got.out;
}

TEST(Drgn, SaysWhereThereIsNoObject) {
  const Rendered none =
      render(objects_of({{"sp", K::hex, ""}}), [](RowSink& rows) { rows.add({{Value{}}}); });
  EXPECT_EQ(none.errors, "kvmscope: note: no object of the kernel is in these records\n");
  try {
    render(objects_of({{"level", K::count, ""}}), [](RowSink&) {});
    FAIL() << "rendered";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_TRUE(std::string(error.what()).starts_with("--drgn: these records name no object"));
  }
}

}  // namespace
}  // namespace kvmscope
