// A value or place of a C type, as a kernel probe can reach it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/types/code.hpp"
#include "core/types/types.hpp"

namespace kvmscope::probe {

// A CodeLocation with a type. All throw Error{usage} for what cannot be done.
class PlaceValue {
 public:
  // `base`: "%di", "$retval"; empty: a constant.
  PlaceValue(const Types& types, const Type& type, std::string base,
             std::vector<std::int64_t> offsets, bool is_value);

  const Type& type() const { return *type_; }
  bool is_pointer() const;

  PlaceValue member(std::string_view name) const;  // of a struct, or of what a pointer points to
  PlaceValue arrow(std::string_view name) const;
  PlaceValue index(std::int64_t index) const;
  PlaceValue dereferenced() const;
  PlaceValue address_of() const;
  PlaceValue cast(const Type& type) const;
  PlaceValue container_of(const Type& container, std::string_view path) const;

  // "+36(%si):b4@0/32", and what has to be added to the value.
  struct Fetch {
    std::string text;
    std::uint64_t addend = 0;
    unsigned bits = 64;
  };
  Fetch fetch() const;
  bool is_signed() const;
  bool is_hex() const;

 private:
  PlaceValue loaded() const;
  void move(std::int64_t bytes);
  std::string place_text(std::size_t levels) const;
  Fetch fetch_bit_field() const;

  const Types* types_;
  const Type* type_;
  std::string base_;
  std::vector<std::int64_t> offsets_;
  bool is_value_;
  std::uint64_t bit_offset_ = 0;  // inside a value; of a bit field in memory, from its address
  std::uint64_t bit_size_ = 0;    // 0: no bit field
};

}  // namespace kvmscope::probe
