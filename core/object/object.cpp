#include "core/object/object.hpp"

#include <array>

#include "core/base/error.hpp"
#include "core/object/member_path.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t max_copy = 16 << 20;

class NoMemory final : public VirtReader {
 public:
  void read(VirtAddr, MutableBytes) const override {
    throw_error(ErrorKind::unavailable, "no target is open: its memory cannot be read");
  }
};

// A number cut to `bits`, and extended again if its type is signed.
std::uint64_t cut(std::uint64_t number, std::uint64_t bits, bool is_signed) {
  if (bits == 0 || bits >= 64) return number;
  const auto width = static_cast<unsigned>(bits);
  return is_signed ? static_cast<std::uint64_t>(sign_extend(number, width))
                   : number & low_bits(width);
}

}  // namespace

const VirtReader& no_memory() {
  static const NoMemory memory;
  return memory;
}

const Type& void_type() {
  static const Type type = [] {
    Type made;
    made.name = "void";
    return made;
  }();
  return type;
}

const Type& target_of(const Type& pointer_or_array) {
  const Type& type = strip(pointer_or_array);
  return type.target ? type.target.get() : void_type();
}

std::uint64_t size_of(const Types& types, const Type& type) {
  const Type& complete = types.complete(strip(type));
  if (complete.kind == TypeKind::void_type || complete.kind == TypeKind::function) return 1;
  if (!complete.is_complete)
    throw_error(ErrorKind::usage, "{} is only declared in the debug info: its size is not known",
                type_name(type));
  if (complete.kind == TypeKind::array && complete.size == 0 && complete.count) {
    // An element that is complete elsewhere.
    std::uint64_t size = 0;
    if (!__builtin_mul_overflow(size_of(types, target_of(complete)), *complete.count, &size))
      return size;
  }
  return complete.size;
}

Object Object::value(const Types& types, const VirtReader& memory, const Type& type,
                     std::uint64_t number) {
  Object object(types, memory, type);
  const Type& scalar = strip(type);
  object.number_ = scalar.kind == TypeKind::boolean
                       ? (number != 0 ? 1 : 0)
                       : cut(number, scalar.size * 8, object.is_signed());
  return object;
}

Object Object::reference(const Types& types, const VirtReader& memory, const Type& type,
                         VirtAddr address) {
  Object object(types, memory, type);
  object.is_reference_ = true;
  object.number_ = address.value;
  return object;
}

Object Object::sibling_value(const Type& type, std::uint64_t number) const {
  return value(*types_, *memory_, type, number);
}

Object Object::sibling_reference(const Type& type, VirtAddr address) const {
  return reference(*types_, *memory_, type, address);
}

const Type& Object::complete_type() const {
  return types_->complete(strip(*type_));
}

std::optional<VirtAddr> Object::address() const {
  if (!is_reference_ || is_bit_field()) return std::nullopt;
  return VirtAddr{number_};
}

Object Object::part(const Type& type, std::uint64_t bit_offset, std::uint64_t bit_size) const {
  Object object(*types_, *memory_, type);
  object.is_reference_ = true;
  object.number_ = number_ + bit_offset / 8;
  object.bit_offset_ = bit_size != 0 ? bit_offset % 8 : 0;
  object.bit_size_ = bit_size;
  object.copy_ = copy_;
  return object;
}

Object Object::member(std::string_view name) const {
  if (is_pointer() && is_aggregate(target_of(*type_))) return dereference().member(name);
  const FoundMember found = need_member(*types_, *type_, name);
  return part(*found.type, found.bit_offset, found.bit_size);
}

Object Object::arrow(std::string_view name) const {
  if (!is_pointer() && !is_array())
    throw_error(ErrorKind::usage, "{} is no pointer: use .{}", type_name(*type_), name);
  return dereference().member(name);
}

Object Object::at_path(std::string_view path) const {
  const FoundMember found = need_member_path(*types_, *type_, path);
  return part(*found.type, found.bit_offset, found.bit_size);
}

Object Object::index(std::int64_t index) const {
  if (!is_pointer() && !is_array())
    throw_error(ErrorKind::usage, "{} is no pointer or array: it has no element [{}]",
                type_name(*type_), index);
  const Type& element = target_of(*type_);
  const std::uint64_t offset = static_cast<std::uint64_t>(index) * size_of(*types_, element);
  if (is_pointer()) return sibling_reference(element, VirtAddr{as_unsigned() + offset});
  Object object = part(element, 0, 0);
  object.number_ += offset;
  return object;
}

Object Object::dereference() const {
  if (is_array()) return index(0);
  if (kind() == TypeKind::function) return *this;
  if (!is_pointer())
    throw_error(ErrorKind::usage, "{} is no pointer: it cannot be dereferenced", type_name(*type_));
  const Type& target = target_of(*type_);
  if (strip(target).kind == TypeKind::void_type)
    throw_error(ErrorKind::usage,
                "{} does not say what it points to: cast it, as in "
                "*(unsigned long *)…",
                type_name(*type_));
  return sibling_reference(target, VirtAddr{as_unsigned()});
}

Object Object::address_of() const {
  if (is_bit_field()) throw_error(ErrorKind::usage, "a bit field has no address");
  if (!is_reference_) throw_error(ErrorKind::usage, "a value that is in no memory has no address");
  return sibling_value(types_->pointer_to(*type_), number_);
}

Object Object::cast(const Type& type) const {
  const Type& to = strip(type);
  switch (to.kind) {
    case TypeKind::integer:
    case TypeKind::boolean:
    case TypeKind::enumeration:
    case TypeKind::pointer: return sibling_value(type, as_unsigned());
    case TypeKind::structure:
    case TypeKind::union_type:
      if (type_name(to) == type_name(strip(*type_))) return *this;
      throw_error(ErrorKind::usage, "{} cannot be cast to {}: cast a pointer, as in *({} *)…",
                  type_name(*type_), type_name(type), type_name(type));
    default:
      throw_error(ErrorKind::usage, "{} cannot be cast to {}", type_name(*type_), type_name(type));
  }
}

Object Object::container_of(const Type& container, std::string_view path) const {
  if (!is_pointer() && !is_array())
    throw_error(ErrorKind::usage, "{} is no pointer: it lies in no {}", type_name(*type_),
                type_name(container));
  const FoundMember found = need_member_path(*types_, container, path);
  if (found.bit_size != 0) throw_error(ErrorKind::usage, "'{}' is a bit field", path);
  return sibling_value(types_->pointer_to(container), as_unsigned() - found.bit_offset / 8);
}

Object Object::decayed() const {
  switch (kind()) {
    case TypeKind::array:
      return sibling_value(types_->pointer_to(target_of(*type_)), as_unsigned());
    case TypeKind::function: return sibling_value(types_->pointer_to(*type_), as_unsigned());
    default: return is_reference_ ? sibling_value(*type_, as_unsigned()) : *this;
  }
}

bool Object::is_signed() const {
  const Type& type = strip(*type_);
  return (type.kind == TypeKind::integer || type.kind == TypeKind::enumeration) && type.is_signed;
}

std::uint64_t Object::as_unsigned() const {
  const Type& type = complete_type();
  switch (type.kind) {
    case TypeKind::array:
    case TypeKind::function: return number_;
    case TypeKind::integer:
    case TypeKind::boolean:
    case TypeKind::enumeration:
    case TypeKind::pointer: break;
    case TypeKind::void_type:
      if (is_reference_)
        throw_error(ErrorKind::usage,
                    "nothing says what type lies at {:#x}: cast its address, as in "
                    "*(unsigned long *){:#x}",
                    number_, number_);
      [[fallthrough]];
    default: throw_error(ErrorKind::usage, "{} is no number", type_name(*type_));
  }
  if (!is_reference_) return number_;
  if (type.size > 8 || type.size == 0)
    throw_error(ErrorKind::usage, "{} has {} bytes: too many to calculate with", type_name(*type_),
                type.size);
  return cut(load_bits(), is_bit_field() ? bit_size_ : type.size * 8, is_signed());
}

std::uint64_t Object::load_bits() const {
  if (bit_size_ > 64) throw_error(ErrorKind::corrupt, "a bit field of {} bits", bit_size_);
  std::array<std::byte, 9> buffer = {};
  const std::uint64_t size =
      is_bit_field() ? (bit_offset_ + bit_size_ + 7) / 8 : complete_type().size;
  read(0, MutableBytes(buffer.data(), size));
  const auto low = load<std::uint64_t>(buffer) >> bit_offset_;
  if (bit_offset_ == 0) return low;
  return low | std::to_integer<std::uint64_t>(buffer[8]) << (64 - bit_offset_);
}

void Object::read(std::uint64_t offset, MutableBytes into) const {
  if (!is_reference_) throw_error(ErrorKind::usage, "a value that is in no memory has no bytes");
  const VirtAddr at = VirtAddr{number_} + offset;
  if (copy_ != nullptr) {
    const std::uint64_t skip = at - copy_->start;
    if (skip <= copy_->bytes.size() && into.size() <= copy_->bytes.size() - skip) {
      if (!into.empty()) std::memcpy(into.data(), copy_->bytes.data() + skip, into.size());
      return;
    }
  }
  memory_->read(at, into);
}

std::vector<std::byte> Object::bytes() const {
  const std::uint64_t size = size_of(*types_, *type_);
  if (size > max_copy)
    throw_error(ErrorKind::usage, "{} has {} bytes: too many to read at once", type_name(*type_),
                size);
  std::vector<std::byte> bytes(size);
  read(0, bytes);
  return bytes;
}

Object Object::snapshot() const {
  Object object = *this;
  object.copy_ = std::make_shared<const Copy>(Copy{VirtAddr{number_}, bytes()});
  return object;
}

}  // namespace kvmscope
