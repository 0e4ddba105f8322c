#include "commands/output/roff.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace kvmscope {
namespace {

constexpr std::size_t line_width = 76;

std::string_view escaped(char c) {
  switch (c) {
    case '\\': return "\\(rs";
    case '-': return "\\-";
    case '\'': return "\\(aq";
    case '`': return "\\(ga";
    case '^': return "\\(ha";
    case '~': return "\\(ti";
    case '"': return "\\(dq";
    default: return "";
  }
}

// A line that starts so would be a request.
std::string roff_line(std::string_view text) {
  return (text.starts_with('.') ? "\\&" : "") + roff_text(text);
}

// Calls `use` with each part of the text that the separator ends, and the last one.
template <typename Use>
void split(std::string_view text, std::string_view separator, Use&& use) {
  for (std::size_t end = 0; (end = text.find(separator)) != text.npos;) {
    use(text.substr(0, end));
    text.remove_prefix(end + separator.size());
  }
  use(text);
}

// A character outside ASCII by its number, as every formatter reads it. Takes it off the text; what
// is no UTF-8 becomes a question mark.
std::string take_wide(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (size == 1 || size > text.size()) {
    text.remove_prefix(1);
    return "?";
  }
  unsigned code = lead & (0x7fU >> size);
  for (const char next : text.substr(1, size - 1))
    code = code << 6 | (static_cast<unsigned char>(next) & 0x3fU);
  text.remove_prefix(size);
  return fmt::format("\\[u{:04X}]", code);
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

}  // namespace

std::string roff_text(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const char c = text.front();
    if (static_cast<unsigned char>(c) >= 0x80) {
      result += take_wide(text);
      continue;
    }
    text.remove_prefix(1);
    const std::string_view special = escaped(c);
    if (special.empty())
      result += c;
    else
      result += special;
  }
  return result;
}

std::string roff_bold(std::string_view text) {
  return fmt::format("\\fB{}\\fR", roff_text(text));
}

std::string roff_italic(std::string_view text) {
  return fmt::format("\\fI{}\\fR", roff_text(text));
}

ManualPage::ManualPage(std::string_view name, std::string_view section, std::string_view source)
    : text_(fmt::format(".TH \"{}\" \"{}\" \"\" \"{}\" \"User Commands\"\n", roff_text(upper(name)),
                        roff_text(section), roff_text(source))) {}

void ManualPage::section(std::string_view title) {
  line(fmt::format(".SH \"{}\"", roff_text(title)));
}

void ManualPage::subsection(std::string_view title) {
  line(fmt::format(".SS \"{}\"", roff_text(title)));
}

void ManualPage::paragraphs(std::string_view text) {
  split(text, "\n\n", [&](std::string_view part) {
    if (part.starts_with(' ') || part.find("\n ") != part.npos) return literal(part);
    paragraph();
    filled(part);
  });
}

void ManualPage::item(std::string_view roff_tag, std::string_view text) {
  line(".TP");
  line(roff_tag);
  filled(text);
}

void ManualPage::label(std::string_view text) {
  paragraph();
  line(roff_bold(text));
}

void ManualPage::literal(std::string_view text) {
  paragraph();
  line(".EX");
  split(text, "\n", [&](std::string_view part) { line(part.empty() ? "\\&" : roff_line(part)); });
  line(".EE");
}

void ManualPage::line(std::string_view roff) {
  text_ += roff;
  text_ += '\n';
  below_title_ = roff.starts_with(".SH ") || roff.starts_with(".SS ");
}

// A title begins one by itself.
void ManualPage::paragraph() {
  if (!below_title_) line(".PP");
}

// Input lines of a moderate length: what makes paragraphs is the formatter's business.
void ManualPage::filled(std::string_view text) {
  std::string current;
  const auto word = [&](std::string_view next) {
    if (next.empty()) return;
    if (!current.empty() && current.size() + 1 + next.size() > line_width) {
      line(roff_line(current));
      current.clear();
    }
    if (!current.empty()) current += ' ';
    current += next;
  };
  split(text, "\n", [&](std::string_view part) { split(part, " ", word); });
  if (!current.empty()) line(roff_line(current));
}

}  // namespace kvmscope
