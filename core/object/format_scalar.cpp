#include "core/object/format_scalar.hpp"

#include <algorithm>
#include <bit>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t max_string = 256;         // bytes
constexpr std::uint64_t first_hex = 0x10000;      // smaller numbers read better in decimal
constexpr std::uint64_t max_function_name = 512;  // bytes; more is no name

std::string number_text(const Object& object, std::uint64_t number, Radix radix) {
  if (object.is_signed() && radix != Radix::hex)
    return fmt::format("{}", static_cast<std::int64_t>(number));
  if (object.is_signed() && strip(object.type()).size < 8)
    number &= low_bits(static_cast<unsigned>(strip(object.type()).size * 8));
  const bool hex = radix == Radix::hex || (radix == Radix::automatic && number >= first_hex);
  return hex ? fmt::format("{:#x}", number) : fmt::format("{}", number);
}

std::string enum_text(const Object& object, std::uint64_t number, const FormatOptions& options) {
  if (options.interpret) {
    for (const Enumerator& enumerator : object.complete_type().enumerators)
      if (static_cast<std::uint64_t>(enumerator.value) == number) return enumerator.name;
  }
  return number_text(object, number, options.radix);
}

// A terminated string in target memory: read page by page, as the next page may be missing.
std::string string_at(const VirtReader& memory, VirtAddr at) {
  std::string text;
  while (text.size() < max_string) {
    const VirtAddr from = at + text.size();
    const std::uint64_t to_page_end = page_size - (from.value & page_offset_mask);
    std::string piece(std::min(max_string - text.size(), to_page_end), '\0');
    memory.read(from, std::as_writable_bytes(std::span(piece)));
    const std::size_t end = piece.find('\0');
    text.append(piece, 0, end);
    if (end != std::string::npos) return quoted(text);
  }
  return quoted(text) + "…";
}

std::string pointer_text(const Object& object, std::uint64_t number, const FormatOptions& options) {
  const std::string address = number == 0 ? "0x0" : fmt::format("{:#x}", number);
  if (!options.interpret || number == 0) return address;
  const Type& target = strip(target_of(object.type()));
  if (target.kind == TypeKind::function && options.symbolize) {
    const std::string name = options.symbolize(number);
    if (!name.empty() && name.size() <= max_function_name)
      return fmt::format("{} = {}", address, name);
  }
  if (!is_character(target)) return address;
  try {
    return fmt::format("{} = {}", address, string_at(object.memory(), VirtAddr{number}));
  } catch (const Error& error) {
    // The pointer itself was read: what it points to is an extra.
    if (!is_about_data(error.kind())) throw;
    return fmt::format("{} = <cannot read: {}>", address, error.what());
  }
}

// What C cannot calculate with here: floating point, 128 bits.
std::string wide_text(const Object& object, const Type& type) {
  const std::vector<std::byte> bytes = object.bytes();
  if (type.kind == TypeKind::floating && bytes.size() == 4)
    return fmt::format("{}", load<float>(bytes));
  if (type.kind == TypeKind::floating && bytes.size() == 8)
    return fmt::format("{}", load<double>(bytes));
  std::string text = "0x";
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
    text += fmt::format("{:02x}", std::to_integer<unsigned>(*byte));
  return text;
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char letter : text) {
    switch (letter) {
      case '"': result += "\\\""; break;
      case '\\': result += "\\\\"; break;
      case '\n': result += "\\n"; break;
      case '\t': result += "\\t"; break;
      default:
        if (letter >= ' ' && letter <= '~')
          result += letter;
        else
          result += fmt::format("\\x{:02x}", static_cast<unsigned char>(letter));
    }
  }
  return result + '"';
}

bool is_character(const Type& type) {
  const Type& stripped = strip(type);
  return stripped.kind == TypeKind::integer && stripped.name == "char";
}

std::string format_char_array(const Object& array) {
  const std::uint64_t size = size_of(array.types(), array.type());
  std::string text(std::min(size, max_string), '\0');
  array.read(0, std::as_writable_bytes(std::span(text)));
  const std::size_t end = text.find('\0');
  if (end != std::string::npos) return quoted(std::string_view(text).substr(0, end));
  return quoted(text) + (size > max_string ? "…" : "");
}

std::string format_scalar(const Object& object, const FormatOptions& options) {
  const Type& type = object.complete_type();
  const bool wide = type.kind == TypeKind::floating ||
                    (type.kind == TypeKind::integer && type.size > 8 && !object.is_bit_field());
  if (wide) return wide_text(object, type);
  const std::uint64_t number = object.as_unsigned();
  switch (type.kind) {
    case TypeKind::boolean:
      if (!options.interpret || number > 1) return fmt::format("{}", number);
      return number != 0 ? "true" : "false";
    case TypeKind::enumeration: return enum_text(object, number, options);
    case TypeKind::pointer: return pointer_text(object, number, options);
    case TypeKind::function: {
      const std::string name = options.symbolize ? options.symbolize(number) : "";
      return name.empty() ? fmt::format("{:#x}", number) : fmt::format("{:#x} = {}", number, name);
    }
    default: return number_text(object, number, options.radix);
  }
}

}  // namespace kvmscope
