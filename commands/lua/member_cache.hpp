// Where the members of structs lie: each looked up once, since a loop asks for the same ones.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/types/types.hpp"

namespace kvmscope::lua {

class MemberCache {
 public:
  // nullptr: there is no such member. The type's sources must outlive the cache.
  const FoundMember* find(const Types& types, const Type& aggregate, std::string_view name) {
    if (last_type_ != &aggregate) {
      last_type_ = &aggregate;
      last_ = &members_[&aggregate];
    }
    const auto known = last_->find(name);
    if (known != last_->end()) return &known->second;
    const std::optional<FoundMember> found = find_member(types.complete(strip(aggregate)), name);
    return found ? &last_->emplace(std::string(name), *found).first->second : nullptr;
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using Members = std::unordered_map<std::string, FoundMember, Hash, std::equal_to<>>;

  std::unordered_map<const Type*, Members> members_;  // node-based: references stay valid
  const Type* last_type_ = nullptr;
  Members* last_ = nullptr;
};

}  // namespace kvmscope::lua
