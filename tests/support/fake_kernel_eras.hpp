// The shapes that KVM's structures have had: one set of declarations for each era of kernels.
#pragma once

#include <array>
#include <string_view>

#include "tests/support/fake_types.hpp"

namespace kvmscope {

// A kernel release that stands for its neighbours.
enum class Era { v4_19, v5_4, v5_10, v5_15, v6_1, v6_6, v6_12, v6_18, v7_3 };

inline constexpr std::array<Era, 9> all_eras = {Era::v4_19, Era::v5_4,  Era::v5_10,
                                                Era::v5_15, Era::v6_1,  Era::v6_6,
                                                Era::v6_12, Era::v6_18, Era::v7_3};

// "v6_12", as test names may be.
std::string_view name(Era era);

// Defines what kvmscope reads of that era's kernel, by the names that the era uses. The order of
// members and the offsets are nobody's: code that relies on them fails here.
void declare_kernel(FakeTypes& types, Era era);

}  // namespace kvmscope
