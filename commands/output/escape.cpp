#include "commands/output/escape.hpp"

#include <array>
#include <cstdint>

#include <fmt/format.h>

namespace kvmscope {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t size = 0;  // bytes; 0: not UTF-8
};

// The character that starts at `at`: shortest form only, no surrogates.
Character decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < size) return {};
  std::uint32_t code = first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
  if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, size};
}

bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

// Characters that break or reorder the line they stand in, or are not seen at all.
bool is_treacherous(std::uint32_t code) {
  return code == 0x61c || (code >= 0x200b && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
         code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb) ||
         (code >= 0xe0000 && code <= 0xe007f);
}

bool is_plain(char c) {
  return c >= 0x20 && c < 0x7f;
}

void append_control(std::string& out, std::uint32_t code) {
  switch (code) {
    case '\n': out += "\\n"; return;
    case '\t': out += "\\t"; return;
    case '\r': out += "\\r"; return;
    case 0x1b: out += "\\e"; return;
    default: fmt::format_to(std::back_inserter(out), "\\x{:02x}", code);
  }
}

bool is_wide(std::uint32_t code) {
  return (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
         (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
         (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
         (code >= 0x1f300 && code <= 0x1faff);
}

}  // namespace

std::string escape_text(std::string_view text, std::string_view keep) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (is_plain(text[at])) {
      out += text[at++];
      continue;
    }
    const Character character = decode(text, at);
    if (character.size == 0) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(text[at++]));
      continue;
    }
    const bool kept = character.size == 1 && keep.find(text[at]) != std::string_view::npos;
    if (is_control(character.code) && !kept)
      append_control(out, character.code);
    else if (is_treacherous(character.code))
      fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", character.code);
    else
      out += text.substr(at, character.size);
    at += character.size;
  }
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    while (at < text.size() && is_plain(text[at]) && text[at] != '"' && text[at] != '\\') ++at;
    out += text.substr(start, at - start);
    if (at == text.size()) break;
    const char c = text[at];
    const Character character = decode(text, at);
    if (character.size == 0)
      fmt::format_to(std::back_inserter(out), "\\\\x{:02x}", static_cast<unsigned char>(c));
    else if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (is_control(character.code) ||
             (is_treacherous(character.code) && character.code < 0x10000))
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", character.code);
    else
      out += text.substr(at, character.size);
    at += character.size == 0 ? 1 : character.size;
  }
  out += '"';
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = decode(text, at);
    at += character.size == 0 ? 1 : character.size;
    if (character.code >= 0x300 && character.code <= 0x36f) continue;  // combining
    width += is_wide(character.code) ? 2 : 1;
  }
  return width;
}

}  // namespace kvmscope
