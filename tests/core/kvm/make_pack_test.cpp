// Layout packs of every era of kernels: each field is found as in the debug files.

#include "core/kvm/make_pack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/kernel/debug_info.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel_eras.hpp"
#include "tests/support/fake_kernel_target.hpp"

namespace kvmscope::kvm {
namespace {

using enum Era;

std::string no_build_id(std::string_view) {
  return "";
}

class PackOfEra : public testing::TestWithParam<Era> {
 protected:
  PackOfEra() {
    declare_kernel(fake_, GetParam());
    finder_.files.emplace("kvm", FakeFinder::File{"aa", fake_, symbols_});
  }
  LayoutPack pack() {
    const AllFields fields(debug_.layout_types());
    return make_pack(debug_, fields, "bb", {{"modules", 0xffffffff81000000}});
  }

  FakeTypes fake_;
  FakeSymbols symbols_;
  FakeFinder finder_;
  DebugInfo debug_{finder_, "6.1.0", no_build_id};
};

std::string description(const Resolution& resolution) {
  const Field& field = resolution.field;
  if (!field.present()) return fmt::format("{} absent", field.structure);
  const Type& type = strip(*field.type);
  const bool is_array = type.kind == TypeKind::array;
  return fmt::format(
      "{}.{}: {} at {} size {} bits {} {} count {} element {} aggregate {} pointer {} from {}",
      field.structure, field.spelling, type_name(*field.type), field.offset, field.size,
      field.bit_size != 0 ? field.bit_offset : 0, field.bit_size, is_array ? field.count() : 0,
      is_array ? field.element_size() : 0, is_aggregate(*field.type),
      type.kind == TypeKind::pointer, resolution.origin);
}

std::vector<std::string> descriptions(const AllFields& fields) {
  std::vector<std::string> all;
  for (const FieldGroup* group : fields.groups()) {
    all.push_back(fmt::format("{}: {} bytes", group->structure(), group->size()));
    for (const Resolution& resolution : group->resolutions())
      all.push_back(description(resolution));
  }
  return all;
}

TEST_P(PackOfEra, ResolvesEveryFieldAsTheDebugFileDoes) {
  FakeFinder finder;
  finder.layout = pack_layout(parse_pack(format_pack(pack()), "x"), "x");
  const DebugInfo from_pack(finder, "6.1.0", no_build_id);
  EXPECT_EQ(descriptions(AllFields(from_pack.layout_types())),
            descriptions(AllFields(debug_.layout_types())));
  EXPECT_THAT(finder.asked, testing::IsEmpty());
}

TEST_P(PackOfEra, IsSmall) {
  EXPECT_LT(format_pack(pack()).size(), 64u << 10);
}

INSTANTIATE_TEST_SUITE_P(Eras, PackOfEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

class MakePackTest : public PackOfEra {};

TEST_P(MakePackTest, NeedsTheBuildIdOfEachFile) {
  const AllFields fields(debug_.layout_types());
  EXPECT_EQ(make_pack(debug_, fields, "bb", {}).build_ids.at("kvm"), "aa");
  EXPECT_ERROR(make_pack(debug_, fields, "", {}), ErrorKind::unavailable,
               "the build-id of vmlinux is not known");
  FakeFinder finder;
  finder.files.emplace("kvm", FakeFinder::File{"", fake_, symbols_});
  const DebugInfo debug(finder, "", no_build_id);
  EXPECT_ERROR(make_pack(debug, AllFields(debug.layout_types()), "bb", {}), ErrorKind::unavailable,
               "the build-id of kvm is not known");
}

INSTANTIATE_TEST_SUITE_P(One, MakePackTest, testing::Values(v6_1));

TEST(FieldsVersion, IsTheSameEachTime) {
  EXPECT_EQ(fields_version(), fields_version());
  EXPECT_EQ(fields_version().size(), 16u);
}

}  // namespace
}  // namespace kvmscope::kvm
