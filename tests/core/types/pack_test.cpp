// Layout packs: what was written is read again, and nothing that is damaged or makes no sense is.

#include "core/types/pack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {
namespace {

LayoutPack small_pack() {
  LayoutPack pack{
      .fields = "0123", .release = "6.1.0", .build_ids = {{"vmlinux", "aa"}, {"kvm", "bb"}}};
  pack.structures = {{"struct kvm",
                      "kvm",
                      256,
                      {{.spelling = "arch.mask", .type = "u64", .offset = 8, .size = 8},
                       {.spelling = "mm",
                        .type = "struct mm_struct *",
                        .kind = PackedKind::pointer,
                        .offset = 16,
                        .size = 8},
                       {.spelling = "slots",
                        .type = "void *[3]",
                        .kind = PackedKind::array,
                        .offset = 24,
                        .size = 24,
                        .count = 3,
                        .element_size = 8},
                       {.spelling = "list",
                        .type = "struct list_head",
                        .kind = PackedKind::aggregate,
                        .offset = 48,
                        .size = 16},
                       {.spelling = "tail",
                        .type = "long [0]",
                        .kind = PackedKind::array,
                        .offset = 256,
                        .element_size = 8}}},
                     {"union role",
                      "kvm",
                      4,
                      {{.spelling = "level",
                        .type = "u32",
                        .offset = 1,
                        .size = 2,
                        .bit_offset = 6,
                        .bit_size = 4}}}};
  pack.enumerations = {{"kvm_reg", "kvm", {{"A", 0}, {"B", -3}}}};
  pack.symbols = {{"modules", 0xffffffff81234560}, {"vm_list", 0}};
  return pack;
}

std::shared_ptr<LayoutSource> read_again(const LayoutPack& pack) {
  return pack_layout(parse_pack(format_pack(pack), "x.pack"), "the layout pack x.pack");
}

// As a file whose checksum is right.
std::string with(const std::function<void(LayoutPack&)>& change) {
  LayoutPack pack = small_pack();
  change(pack);
  return format_pack(pack);
}

#define EXPECT_REFUSED(text, words) \
  EXPECT_ERROR(parse_pack(text, "x.pack"), ErrorKind::unavailable, words)

TEST(Pack, KeepsStructuresEnumerationsAndSymbols) {
  const auto layout = read_again(small_pack());
  ASSERT_NE(layout->types("kvm"), nullptr);
  EXPECT_EQ(layout->types("vmlinux"), nullptr);
  const Type* kvm = layout->types("kvm")->find(TypeKind::structure, "kvm");
  ASSERT_NE(kvm, nullptr);
  EXPECT_EQ(kvm->size, 256u);
  const auto mask = find_member(*kvm, "arch.mask");
  ASSERT_TRUE(mask);
  EXPECT_EQ(mask->bit_offset, 64u);
  EXPECT_EQ(type_name(*mask->type), "u64");
  EXPECT_EQ(strip(*find_member(*kvm, "mm")->type).kind, TypeKind::pointer);
  EXPECT_EQ(strip(*find_member(*kvm, "slots")->type).count, 3u);
  EXPECT_TRUE(is_aggregate(*find_member(*kvm, "list")->type));
  EXPECT_FALSE(strip(*find_member(*kvm, "tail")->type).count);
  const Type* role = layout->types("kvm")->find(TypeKind::union_type, "role");
  ASSERT_NE(role, nullptr);
  EXPECT_EQ(find_member(*role, "level")->bit_offset, 14u);
  EXPECT_EQ(find_member(*role, "level")->bit_size, 4u);
  const Type* reg = layout->types("kvm")->find(TypeKind::enumeration, "kvm_reg");
  ASSERT_NE(reg, nullptr);
  EXPECT_EQ(reg->enumerators.at(1).value, -3);
  EXPECT_EQ(layout->symbol("modules")->address, 0xffffffff81234560);
  EXPECT_EQ(layout->symbol("vm_list")->address, 0u);
  EXPECT_FALSE(layout->symbol("init_task"));
  EXPECT_EQ(layout->build_id("kvm"), "bb");
  EXPECT_EQ(layout->build_id("kvm-amd"), "");
}

TEST(Pack, IsToldByItsBuildIds) {
  const auto layout = read_again(small_pack());
  const auto target = [](std::string vmlinux, std::string kvm) {
    return [=](std::string_view module) {
      return module == "vmlinux" ? vmlinux : module == "kvm" ? kvm : std::string("cc");
    };
  };
  EXPECT_EQ(build_mismatch(*layout, target("aa", "bb")), "");
  EXPECT_EQ(build_mismatch(*layout, target("aa", "")), "");
  EXPECT_THAT(build_mismatch(*layout, target("ab", "bb")),
              testing::HasSubstr("x.pack is for vmlinux of build-id aa, the target's is ab"));
  EXPECT_THAT(build_mismatch(*layout, target("aa", "cc")),
              testing::HasSubstr("for kvm of build-id bb"));
}

TEST(Pack, AnElementOfAFlexibleArrayMayLieBehindTheEnd) {
  const auto with_numbers_at = [](std::uint64_t offset) {
    return with([offset](LayoutPack& pack) {
      pack.structures[0].fields[0].spelling = "numbers[0].nr";
      pack.structures[0].fields[0].offset = offset;
    });
  };
  EXPECT_EQ(parse_pack(with_numbers_at(256), "x").structures[0].fields[0].offset, 256u);
  EXPECT_REFUSED(with_numbers_at(256 + 4096), "lies outside");
}

TEST(Pack, OfAnotherSetOfFieldsIsRefused) {
  const TemporaryTree tree;
  tree.write("x.pack", format_pack(small_pack()));
  EXPECT_EQ(read_pack(tree.path() + "/x.pack", "0123").release, "6.1.0");
  EXPECT_ERROR(read_pack(tree.path() + "/x.pack", "4567"), ErrorKind::unavailable,
               "made by another version of kvmscope");
}

TEST(Pack, DamageIsFound) {
  const std::string good = format_pack(small_pack());
  EXPECT_REFUSED("", "no layout pack");
  EXPECT_REFUSED("This is a text.\n", "no layout pack");
  EXPECT_REFUSED("kvmscope-layout/2" + good.substr(17), "of version 2");
  EXPECT_REFUSED("kvmscope-layout/x" + good.substr(17), "first line is damaged");
  EXPECT_REFUSED(good + " ", "damaged");
  for (std::size_t size = 17; size < good.size(); size += 7)
    EXPECT_REFUSED(good.substr(0, size), "make it again");
  for (std::size_t at = 0; at < good.size(); at += 5) {
    std::string bad = good;
    bad[at] ^= 0x11;
    EXPECT_TRUE(error_of([&] { parse_pack(bad, "x.pack"); })) << "byte " << at;
  }
}

TEST(Pack, WildNumbersAreRefused) {
  const auto field = [](const std::function<void(PackedField&)>& change) {
    return with([&](LayoutPack& pack) { change(pack.structures[0].fields[0]); });
  };
  EXPECT_REFUSED(field([](PackedField& f) { f.offset = 249; }),
                 "arch.mask lies outside of its 256");
  EXPECT_REFUSED(field([](PackedField& f) { f.offset = ~0ULL; }), "lies outside");
  EXPECT_REFUSED(field([](PackedField& f) { f.size = ~0ULL - 7; }), "lies outside");
  EXPECT_REFUSED(field([](PackedField& f) { f.size = 0; }), "impossible size");
  EXPECT_REFUSED(field([](PackedField& f) { f.size = 24; }), "impossible size");
  EXPECT_REFUSED(field([](PackedField& f) { f.kind = PackedKind::pointer, f.size = 4; }),
                 "impossible size");
  EXPECT_REFUSED(field([](PackedField& f) { f.bit_size = 65; }), "impossible bits");
  EXPECT_REFUSED(field([](PackedField& f) { f.bit_size = 60, f.bit_offset = 5; }),
                 "impossible bits");
  EXPECT_REFUSED(field([](PackedField& f) { f.bit_size = 1, f.bit_offset = 8; }),
                 "impossible bits");
  const auto array = [](std::uint64_t count, std::uint64_t element_size) {
    return with([=](LayoutPack& pack) {
      pack.structures[0].fields[2].count = count;
      pack.structures[0].fields[2].element_size = element_size;
    });
  };
  EXPECT_REFUSED(array(4, 8), "slots has an impossible size");
  EXPECT_REFUSED(array(1ULL << 61, 8), "impossible size");
  EXPECT_REFUSED(array(3, 0), "impossible size");
  EXPECT_REFUSED(with([](LayoutPack& pack) { pack.structures[0].size = 1 << 30; }),
                 "1073741824 bytes");
  EXPECT_REFUSED(with([](LayoutPack& pack) { pack.structures[0].origin = "ext4"; }),
                 "none of kvm's modules");
  EXPECT_REFUSED(with([](LayoutPack& pack) { pack.build_ids.erase("kvm"); }), "no build-id of kvm");
  EXPECT_REFUSED(with([](LayoutPack& pack) { pack.structures[0].name = "kvm"; }), "no structure");
}

// A body as somebody may have edited it, with a first line that fits.
std::string file_of(const std::string& body) {
  return fmt::format("kvmscope-layout/1 {:016x} {}\n{}", checksum(body), body.size(), body);
}

TEST(Pack, OtherJsonIsRefused) {
  EXPECT_REFUSED(file_of("{"), "no JSON");
  EXPECT_REFUSED(file_of("[]"), "no fields_version");
  EXPECT_REFUSED(file_of("{}"), "no fields_version");
  EXPECT_REFUSED(file_of("{\"fields_version\": 1}"), "is no text");
  EXPECT_REFUSED(file_of(std::string(200'000, '[')), "no JSON");
  const std::string good = format_pack(small_pack());
  const std::string body = good.substr(good.find('\n') + 1);
  for (const auto& [from, to, words] :
       {std::tuple{"\"offset\": 8", "\"offset\": -8", "offset is no number"},
        std::tuple{"\"offset\": 8", "\"offset\": 8.5", "offset is no number"},
        std::tuple{"\"kind\": \"array\"", "\"kind\": \"list\"", "nothing is a list"},
        std::tuple{"\"modules\": ", "\"modules\": -", "modules has no address"},
        std::tuple{"\"fields\": [", "\"fieldz\": [", "no fields"}}) {
    std::string bad = body;
    bad.replace(bad.find(from), std::string(from).size(), to);
    EXPECT_REFUSED(file_of(bad), words);
  }
}

}  // namespace
}  // namespace kvmscope
