// The layout against every era of kernels: nothing is missing, and each spelling is the era's.

#include "core/kvm/layout.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/kernel/debug_info.hpp"
#include "core/kernel/modules.hpp"
#include "core/kernel/tasks.hpp"
#include "tests/support/fake_kernel_eras.hpp"

namespace kvmscope::kvm {
namespace {

using testing::IsEmpty;
using enum Era;

class LayoutOfEra : public testing::TestWithParam<Era> {
 protected:
  LayoutOfEra() {
    declare_kernel(fake_, GetParam());
    types_.add("kvm", [this] { return &fake_; });
    types_.add("built-in", [] { return &builtin_types(); });
  }

  FakeTypes fake_;
  Types types_;
};

std::vector<std::string> missing_fields(const FieldGroup& group) {
  std::vector<std::string> missing;
  for (const Resolution& resolution : group.resolutions())
    if (resolution.required && !resolution.field.present())
      missing.push_back(fmt::format("{}.{}", group.structure(), resolution.spellings.front()));
  return missing;
}

// What a field is called from one era on; "" is nothing.
struct Change {
  Era from;
  std::string_view spelling;
};
struct Expected {
  std::string_view structure;
  std::string_view newest;  // the first spelling of the field
  std::vector<Change> changes;
};

const std::vector<Expected>& expectations() {
  static const std::vector<Expected> all = {
      {"struct kvm", "vcpu_array", {{v4_19, "vcpus"}, {v6_1, "vcpu_array"}}},
      {"struct kvm",
       "stat.mmu_shadow_pages",
       {{v4_19, "arch.n_used_mmu_pages"}, {v7_3, "stat.mmu_shadow_pages"}}},
      {"struct kvm",
       "mmu_invalidate_seq",
       {{v4_19, "mmu_notifier_seq"}, {v6_1, "mmu_invalidate_seq"}}},
      {"struct kvm",
       "mmu_invalidate_in_progress",
       {{v4_19, "mmu_notifier_count"}, {v6_1, "mmu_invalidate_in_progress"}}},
      {"struct kvm", "arch.mmu_valid_gen", {{v4_19, "arch.mmu_valid_gen"}}},
      {"struct kvm",
       "arch.tdp_mmu_enabled",
       {{v4_19, ""}, {v5_10, "arch.tdp_mmu_enabled"}, {v6_6, ""}}},
      {"struct kvm", "arch.tdp_mmu_roots", {{v4_19, ""}, {v5_10, "arch.tdp_mmu_roots"}}},
      {"struct kvm", "arch.shadow_mmio_value", {{v4_19, ""}, {v6_12, "arch.shadow_mmio_value"}}},
      {"struct kvm_vcpu", "vcpu_idx", {{v4_19, ""}, {v5_4, "vcpu_idx"}}},
      {"struct kvm_vcpu", "arch.root_mmu", {{v4_19, "arch.mmu"}, {v5_4, "arch.root_mmu"}}},
      {"struct kvm_vcpu", "arch.guest_mmu", {{v4_19, ""}, {v5_4, "arch.guest_mmu"}}},
      {"struct kvm_vcpu",
       "arch.mmu_shadow_page_cache.init_value",
       {{v4_19, ""}, {v6_12, "arch.mmu_shadow_page_cache.init_value"}}},
      {"struct kvm_mmu", "root.hpa", {{v4_19, "root_hpa"}, {v6_1, "root.hpa"}}},
      {"struct kvm_mmu",
       "root.pgd",
       {{v4_19, ""}, {v5_4, "root_cr3"}, {v5_10, "root_pgd"}, {v6_1, "root.pgd"}}},
      {"struct kvm_mmu",
       "root_role.word",
       {{v4_19, "base_role.word"}, {v5_4, "mmu_role.base.word"}, {v6_1, "root_role.word"}}},
      {"struct kvm_mmu", "pml4_root", {{v4_19, "lm_root"}, {v5_15, "pml4_root"}}},
      {"struct kvm_mmu", "pml5_root", {{v4_19, ""}, {v6_1, "pml5_root"}}},
      {"struct kvm_mmu_root_info", "pgd", {{v4_19, "cr3"}, {v5_10, "pgd"}}},
      {"struct kvm_mmu_page", "tdp_mmu_page", {{v4_19, ""}, {v5_10, "tdp_mmu_page"}}},
      {"struct kvm_mmu_page",
       "nx_huge_page_disallowed",
       {{v4_19, ""}, {v5_4, "lpage_disallowed"}, {v6_6, "nx_huge_page_disallowed"}}},
      {"struct kvm_mmu_page",
       "shadowed_translation",
       {{v4_19, ""}, {v6_1, "shadowed_translation"}}},
      {"struct kvm_mmu_page", "gfns", {{v4_19, "gfns"}, {v6_1, ""}}},
      {"struct kvm_mmu_page",
       "tdp_mmu_root_count.refs.counter",
       {{v4_19, ""}, {v5_15, "tdp_mmu_root_count.refs.counter"}}},
      {"struct kvm_mmu_page", "ptep", {{v4_19, ""}, {v5_15, "ptep"}}},
      {"struct kvm_mmu_page", "parent_ptes.val", {{v4_19, "parent_ptes.val"}}},
      {"union kvm_mmu_page_role", "has_4_byte_gpte", {{v4_19, ""}, {v6_1, "has_4_byte_gpte"}}},
      {"union kvm_mmu_page_role",
       "gpte_is_8_bytes",
       {{v4_19, "cr4_pae"}, {v5_4, "gpte_is_8_bytes"}, {v6_1, ""}}},
      {"union kvm_mmu_page_role", "efer_nx", {{v4_19, "nxe"}, {v5_15, "efer_nx"}}},
      {"union kvm_mmu_page_role", "passthrough", {{v4_19, ""}, {v6_1, "passthrough"}}},
      {"struct kvm_memslots", "gfn_tree", {{v4_19, ""}, {v6_1, "gfn_tree"}}},
      {"struct kvm_memslots", "node_idx", {{v4_19, ""}, {v6_1, "node_idx"}}},
      {"struct kvm_memslots", "used_slots", {{v4_19, "used_slots"}, {v6_1, ""}}},
      {"struct kvm_memory_slot", "gfn_node", {{v4_19, ""}, {v6_1, "gfn_node"}}},
      {"struct pte_list_desc", "spte_count", {{v4_19, ""}, {v5_15, "spte_count"}}},
      {"struct dentry", "__d_name.name", {{v4_19, "d_name.name"}, {v6_18, "__d_name.name"}}},
      {"struct xarray", "xa_head", {{v4_19, ""}, {v5_4, "xa_head"}}},
  };
  return all;
}

std::string_view expected_spelling(const Expected& expected, Era era) {
  std::string_view spelling;
  for (const Change& change : expected.changes)
    if (change.from <= era) spelling = change.spelling;
  return spelling;
}

const Resolution* find_resolution(const std::vector<const FieldGroup*>& groups,
                                  const Expected& expected) {
  for (const FieldGroup* group : groups)
    for (const Resolution& resolution : group->resolutions())
      if (group->structure() == expected.structure &&
          resolution.spellings.front() == expected.newest)
        return &resolution;
  return nullptr;
}

TEST_P(LayoutOfEra, MissesNoField) {
  const Layout layout(types_);
  for (const FieldGroup* group : layout.groups()) EXPECT_THAT(missing_fields(*group), IsEmpty());
}

TEST_P(LayoutOfEra, PicksTheSpellingOfTheEra) {
  const Layout layout(types_);
  const std::vector<const FieldGroup*> groups = layout.groups();
  for (const Expected& expected : expectations()) {
    SCOPED_TRACE(fmt::format("{}.{}", expected.structure, expected.newest));
    const Resolution* resolution = find_resolution(groups, expected);
    ASSERT_NE(resolution, nullptr);
    EXPECT_EQ(resolution->field.spelling, expected_spelling(expected, GetParam()));
  }
}

TEST_P(LayoutOfEra, FindsModulesAndTasksToo) {
  EXPECT_THAT(missing_fields(ModuleFields(types_)), IsEmpty());
  EXPECT_THAT(missing_fields(ModKallsymsFields(types_)), IsEmpty());
  EXPECT_THAT(missing_fields(TaskFields(types_)), IsEmpty());
  EXPECT_THAT(missing_fields(MmFields(types_)), IsEmpty());
  EXPECT_THAT(missing_fields(PidFields(types_)), IsEmpty());
  EXPECT_EQ(ModuleFields(types_).text_base.spelling,
            GetParam() >= v6_6 ? "mem[0].base" : "core_layout.base");
  EXPECT_EQ(ModuleFields(types_).rodata_size.spelling,
            GetParam() >= v6_6 ? "mem[2].size" : "core_layout.ro_size");
  EXPECT_EQ(TaskFields(types_).state.spelling, GetParam() >= v5_15 ? "__state" : "state");
  EXPECT_EQ(KernfsNodeFields(types_).parent.spelling, GetParam() >= v6_18 ? "__parent" : "parent");
}

// The role's bits move: 7.3 has four bits of access where others have three.
TEST_P(LayoutOfEra, TakesTheRolesBitsFromTheDebugInfo) {
  const RoleFields role(types_);
  EXPECT_EQ(role.level.bit_size, 4u);
  EXPECT_EQ(role.access.bit_size, GetParam() == v7_3 ? 4u : 3u);
  EXPECT_EQ(8 * role.invalid.offset + role.invalid.bit_offset, GetParam() == v7_3 ? 12u : 11u);
  EXPECT_EQ(8 * role.smm.offset + role.smm.bit_offset, 24u);
}

INSTANTIATE_TEST_SUITE_P(Eras, LayoutOfEra, testing::ValuesIn(all_eras),
                         [](const auto& tested) { return std::string(name(tested.param)); });

TEST(Layout, NamesABuiltInStructWhenTheDebugInfoOnlyDeclaresIt) {
  FakeTypes fake;
  declare_kernel(fake, v6_1);
  Types types;
  types.add("kvm", [&] { return &fake; });
  types.add("built-in", [] { return &builtin_types(); });

  const Layout layout(types);

  EXPECT_EQ(layout.xa_node().resolutions().front().origin, "built-in");
  EXPECT_EQ(layout.xa_node().slots.offset, 40u);
  EXPECT_EQ(layout.xa_node().slots.count(), 64u);
}

TEST(Layout, ReportsAStructureThatNobodyKnowsWhenItIsRead) {
  const Types none;
  const Layout layout(none);
  EXPECT_FALSE(layout.page().spt.present());
  EXPECT_EQ(layout.page().size(), 0u);
  EXPECT_THAT(layout.page().spans(), IsEmpty());
  EXPECT_FALSE(missing_fields(layout.page()).empty());
}

}  // namespace
}  // namespace kvmscope::kvm
