// All types of one kernel: several sources asked in order, and derived types.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/types/source.hpp"

namespace kvmscope {

class Types {
 public:
  // Sources are asked in the order they were added. `open` runs when the sources
  // before it had no answer, until it returns a source; nullptr: not at hand (yet).
  void add(std::string origin, std::function<const TypeSource*()> open);
  // Forgets which names no source had: one is at hand now that was not.
  void look_again() const;
  // `why` says what to do about a type that no source has; "": nothing.
  void explain_lack(std::function<std::string()> why) { lack_ = std::move(why); }
  // That text.
  std::string lack() const;
  // Forgets every source that was opened, and what it had: others are at hand now.
  void forget() const;

  struct Found {
    const Type* type = nullptr;
    std::string_view origin;  // "kvm", "vmlinux", "built-in"
  };
  // The first complete definition; type nullptr when no source has one.
  Found find(TypeKind kind, std::string_view name) const;
  // The same; throws Error{usage} that names the sources asked.
  const Type& get(TypeKind kind, std::string_view name) const;
  // The complete definition of a type that is only declared where it was met;
  // the type itself when it is complete or no source knows more.
  const Type& complete(const Type& type) const;
  std::vector<std::string> names(TypeKind kind, std::string_view prefix, std::size_t limit) const;

  // Derived types, made once and kept as long as this object.
  const Type& pointer_to(const Type& type) const;
  const Type& array_of(const Type& element, std::uint64_t count) const;
  const Type& integer(std::uint64_t size, bool is_signed) const;  // "unsigned long" for 8, false

 private:
  struct Source {
    std::string origin;
    std::function<const TypeSource*()> open;
    mutable const TypeSource* source = nullptr;
    const TypeSource* get() const;
  };
  std::vector<Source> sources_;
  std::function<std::string()> lack_;
  mutable std::deque<Type> made_;
  mutable std::map<std::pair<const Type*, std::uint64_t>, const Type*> arrays_;
  mutable std::map<const Type*, const Type*> pointers_;
  mutable std::map<std::pair<std::uint64_t, bool>, const Type*> integers_;
  mutable std::map<std::pair<TypeKind, std::string>, Found> found_;
};

}  // namespace kvmscope
