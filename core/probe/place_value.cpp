#include "core/probe/place_value.hpp"

#include <algorithm>
#include <array>

#include "core/base/bits.hpp"
#include "core/base/error.hpp"
#include "core/object/member_path.hpp"
#include "core/object/object.hpp"

namespace kvmscope::probe {
namespace {

// MAX_ARGSTR_LEN of kernel/trace/trace_probe.h.
constexpr std::size_t max_length = 63;

// Types of addresses, frames and masks, which nobody reads in decimal.
constexpr std::array<std::string_view, 12> hex_types = {
    "gfn_t", "gpa_t", "gva_t",     "hfn_t",       "hpa_t",      "hva_t",
    "pfn_t", "pgd_t", "kvm_pfn_t", "phys_addr_t", "tdp_ptep_t", "pgprotval_t"};

bool is_hex_type(const Type& type) {
  const Type* at = &type;
  for (int depth = 0; depth < 8 && at->kind == TypeKind::typedef_type; ++depth) {
    if (std::find(hex_types.begin(), hex_types.end(), at->name) != hex_types.end()) return true;
    if (!at->target) return false;
    at = &at->target.get();
  }
  return at->kind == TypeKind::pointer;
}

// A byte offset that cannot overflow when added to others.
std::int64_t checked(std::int64_t bytes) {
  constexpr std::int64_t limit = std::int64_t{1} << 40;
  if (bytes > limit || bytes < -limit)
    throw_error(ErrorKind::usage, "an offset of {} bytes is too far", bytes);
  return bytes;
}

}  // namespace

PlaceValue::PlaceValue(const Types& types, const Type& type, std::string base,
                       std::vector<std::int64_t> offsets, bool is_value)
    : types_(&types),
      type_(&type),
      base_(std::move(base)),
      offsets_(std::move(offsets)),
      is_value_(is_value) {}

bool PlaceValue::is_pointer() const {
  return strip(*type_).kind == TypeKind::pointer;
}

void PlaceValue::move(std::int64_t bytes) {
  offsets_.back() = static_cast<std::int64_t>(static_cast<std::uint64_t>(offsets_.back()) +
                                              static_cast<std::uint64_t>(checked(bytes)));
}

// The value that lies at this place.
PlaceValue PlaceValue::loaded() const {
  PlaceValue value = *this;
  if (is_value_) {
    if (bit_offset_ != 0)
      throw_error(ErrorKind::usage, "a pointer inside a register's upper half cannot be followed");
    return value;
  }
  if (bit_size_ != 0) throw_error(ErrorKind::usage, "a bit field is no address");
  value.offsets_.push_back(0);
  value.is_value_ = true;
  return value;
}

PlaceValue PlaceValue::dereferenced() const {
  const Type& stripped = strip(*type_);
  if (stripped.kind == TypeKind::array) return index(0);
  if (stripped.kind != TypeKind::pointer)
    throw_error(ErrorKind::usage, "{} is no pointer", type_name(*type_));
  PlaceValue place = loaded();
  place.type_ = &kvmscope::target_of(stripped);
  place.is_value_ = false;
  return place;
}

PlaceValue PlaceValue::arrow(std::string_view name) const {
  return dereferenced().member(name);
}

PlaceValue PlaceValue::member(std::string_view name) const {
  if (is_pointer()) return arrow(name);
  const FoundMember found = need_member(*types_, *type_, name);
  PlaceValue part = *this;
  part.type_ = found.type;
  part.bit_size_ = found.bit_size;
  if (is_value_) {  // a small struct in a register
    part.bit_offset_ += found.bit_offset;
    if (part.bit_offset_ + std::max<std::uint64_t>(part.bit_size_, 1) > 64)
      throw_error(ErrorKind::usage, "'{}' is beyond the register that holds the rest", name);
    return part;
  }
  part.move(static_cast<std::int64_t>(found.bit_offset / 8));
  part.bit_offset_ = found.bit_offset % 8;
  return part;
}

PlaceValue PlaceValue::index(std::int64_t index) const {
  const Type& stripped = strip(*type_);
  const bool is_array = stripped.kind == TypeKind::array;
  if (!is_array && stripped.kind != TypeKind::pointer)
    throw_error(ErrorKind::usage, "{} is no array", type_name(*type_));
  if (is_array && is_value_)
    throw_error(ErrorKind::usage, "an array in a register cannot be recorded");
  const Type& element = kvmscope::target_of(stripped);
  std::int64_t offset = 0;
  if (__builtin_mul_overflow(static_cast<std::int64_t>(size_of(*types_, element)), index, &offset))
    throw_error(ErrorKind::usage, "[{}] is too far", index);
  PlaceValue place = is_array ? *this : loaded();
  place.type_ = &element;
  place.is_value_ = false;
  place.move(offset);
  return place;
}

PlaceValue PlaceValue::address_of() const {
  if (is_value_ || bit_size_ != 0)
    throw_error(ErrorKind::usage, "it has no address: it is {}",
                bit_size_ != 0 ? "a bit field" : "in a register");
  PlaceValue value = *this;
  value.type_ = &types_->pointer_to(*type_);
  value.is_value_ = true;
  return value;
}

PlaceValue PlaceValue::cast(const Type& type) const {
  const auto is_scalar = [](const Type& t) {
    return is_integral(t) || strip(t).kind == TypeKind::pointer;
  };
  if (bit_size_ != 0 || !is_scalar(*type_) || !is_scalar(type) ||
      size_of(*types_, *type_) != size_of(*types_, type))
    throw_error(ErrorKind::usage, "a probe cannot convert {} to {}", type_name(*type_),
                type_name(type));
  PlaceValue value = *this;
  value.type_ = &type;
  return value;
}

PlaceValue PlaceValue::container_of(const Type& container, std::string_view path) const {
  const FoundMember found = need_member_path(*types_, container, path);
  if (found.bit_size != 0) throw_error(ErrorKind::usage, "'{}' is a bit field", path);
  if (!is_pointer()) throw_error(ErrorKind::usage, "{} is no pointer", type_name(*type_));
  PlaceValue value = loaded();
  value.type_ = &types_->pointer_to(container);
  value.move(-static_cast<std::int64_t>(found.bit_offset / 8));
  return value;
}

// The base with the first `levels` offsets around it: "+36(+88(%sp))".
std::string PlaceValue::place_text(std::size_t levels) const {
  std::string text = base_;
  for (std::size_t i = 0; i < levels; ++i) text = fmt::format("{:+}({})", offsets_[i], text);
  return text;
}

// In memory the container is the smallest that the field's declared type allows, at the address
// that the compiler would read: the kernel only takes bits of whole, aligned-by-hand numbers.
PlaceValue::Fetch PlaceValue::fetch_bit_field() const {
  const std::uint64_t size = bit_size_ != 0 ? bit_size_ : size_of(*types_, *type_) * 8;
  if (is_value_)
    return {fmt::format("{}:b{}@{}/64", place_text(offsets_.size() - 1), size, bit_offset_), 0,
            static_cast<unsigned>(size)};
  PlaceValue place = *this;
  const std::uint64_t declared = std::min<std::uint64_t>(size_of(*types_, *type_), 8);
  std::uint64_t container = std::max<std::uint64_t>(declared, 1) * 8;
  // Back to where a number of that size starts, counted from the struct that holds the field.
  const auto back =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(offsets_.back()) % (container / 8));
  std::uint64_t first = bit_offset_ + static_cast<std::uint64_t>(back) * 8;
  if (first + size <= container) {
    place.move(-back);
  } else {  // packed: across the border of two such numbers
    first = bit_offset_;
    while (container < 64 && first + size > container) container *= 2;
  }
  if (first + size > container)
    throw_error(ErrorKind::usage, "a bit field of {} bits does not fit into what a probe records",
                size);
  return {
      fmt::format("{}:b{}@{}/{}", place.place_text(place.offsets_.size()), size, first, container),
      0, static_cast<unsigned>(size)};
}

PlaceValue::Fetch PlaceValue::fetch() const {
  const Type& stripped = strip(*type_);
  if (stripped.kind != TypeKind::pointer && !is_integral(stripped))
    throw_error(ErrorKind::usage, "{} is more than one number: name {}", type_name(*type_),
                stripped.kind == TypeKind::array ? "an element of it" : "a member of it");
  const std::uint64_t size = size_of(*types_, *type_);
  if (size != 1 && size != 2 && size != 4 && size != 8)
    throw_error(ErrorKind::usage, "a probe cannot record {}: {} bytes", type_name(*type_), size);
  const bool is_plain = bit_size_ == 0 && bit_offset_ == 0;
  if (base_.empty() && (!is_value_ || offsets_.size() != 1 || !is_plain))
    throw_error(ErrorKind::usage, "a probe cannot read a fixed address");
  if (is_value_ && !is_plain && offsets_.back() != 0)
    throw_error(ErrorKind::usage, "it is computed, not kept anywhere");
  Fetch fetch;
  const char letter = is_hex() ? 'x' : is_signed() ? 's' : 'u';
  if (!is_plain) {
    fetch = fetch_bit_field();
  } else if (base_.empty()) {
    fetch = {fmt::format("\\{}:{}{}", offsets_.front(), letter, size * 8), 0,
             static_cast<unsigned>(size * 8)};
  } else {
    const std::size_t levels = is_value_ ? offsets_.size() - 1 : offsets_.size();
    fetch = {fmt::format("{}:{}{}", place_text(levels), letter, size * 8),
             is_value_ ? static_cast<std::uint64_t>(offsets_.back()) : 0,
             static_cast<unsigned>(size * 8)};
  }
  if (fetch.text.size() > max_length)
    throw_error(ErrorKind::usage,
                "too many pointers for one value: {} is longer than the kernel takes ({})",
                fetch.text, max_length);
  return fetch;
}

bool PlaceValue::is_signed() const {
  const Type& stripped = strip(*type_);
  return is_integral(stripped) && stripped.is_signed;
}

bool PlaceValue::is_hex() const {
  return is_hex_type(*type_);
}

}  // namespace kvmscope::probe
