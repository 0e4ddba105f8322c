// Types from BTF, the kernel's own description of its types (Documentation/bpf/btf.rst).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/bits.hpp"
#include "core/types/source.hpp"

struct btf;
struct btf_type;

namespace kvmscope {

// One blob: vmlinux's, or a module's on top of it. They look as they do from DWARF, whatever is in
// the blob: what makes no sense is Error{corrupt}, on opening or when a type is loaded.
class BtfTypes : public TypeSource, private TypeLoader {
 public:
  // Copies `data`. `name`: for messages. `base`: vmlinux's, for that of a module (split BTF); must
  // outlive this. Throws Error{corrupt}.
  BtfTypes(Bytes data, std::string name, const BtfTypes* base = nullptr);
  BtfTypes(const BtfTypes&) = delete;
  BtfTypes& operator=(const BtfTypes&) = delete;
  ~BtfTypes() override;

  // Types of this blob; those of the base are the base's to find.
  const Type* find(TypeKind kind, std::string_view name) const override;
  std::vector<std::string> names(TypeKind kind, std::string_view prefix,
                                 std::size_t limit) const override;

 private:
  using Id = std::uint32_t;
  struct Close {
    void operator()(btf* handle) const;
  };

  const Type& load(std::uint64_t id) const override;
  const btf_type& at(Id id) const;
  std::string name_at(std::uint32_t offset) const;
  [[noreturn]] void damaged(Id id, std::string_view what) const;
  // Behind const, volatile, restrict and type tags; with `typedefs` behind those, too.
  Id strip_id(Id id, bool typedefs) const;
  std::uint64_t size_of(Id id) const;
  TypeRef ref(Id id) const;
  // That no name, pointer, array or function leads to itself, so that spelling it ends.
  void check_chain(Id id) const;
  // That no struct contains itself, so that walks over members end.
  void check_nesting(Id id, unsigned depth) const;

  Type read(Id id) const;
  void read_integer(Id id, Type& type) const;
  void read_array(Id id, Type& type) const;
  void read_members(Id id, Type& type) const;
  Member read_member(Id id, std::uint16_t index, std::uint64_t size) const;
  void read_enumerators(Id id, Type& type) const;

  std::string name_;
  const BtfTypes* base_;
  std::unique_ptr<btf, Close> btf_;
  Id first_ = 1;  // of this blob's own
  std::unordered_multimap<std::string_view, Id> by_name_;
  mutable std::deque<Type> types_;
  mutable std::map<Id, const Type*> by_id_;
  mutable std::set<Id> nested_;  // checked
};

}  // namespace kvmscope
