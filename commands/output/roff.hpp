// A manual page in man(7)'s macros: any text in, no text taken for a request.
#pragma once

#include <string>
#include <string_view>

namespace kvmscope {

// Text as roff: no character of it means anything but itself, a hyphen stays one when it is copied.
std::string roff_text(std::string_view text);
std::string roff_bold(std::string_view text);
std::string roff_italic(std::string_view text);

class ManualPage {
 public:
  // `source`: "kvmscope 0.1.0".
  ManualPage(std::string_view name, std::string_view section, std::string_view source);

  void section(std::string_view title);
  void subsection(std::string_view title);
  // Filled; what stands between blank lines is a paragraph of its own, and one that has indented
  // lines stays as it is.
  void paragraphs(std::string_view text);
  // A line of roff, and what is said about it, indented.
  void item(std::string_view roff_tag, std::string_view text);
  // A small title inside a subsection.
  void label(std::string_view text);
  // Lines as they are.
  void literal(std::string_view text);
  // A line of roff that stands alone.
  void line(std::string_view roff);
  // Begins a paragraph that `line` goes on with.
  void paragraph();

  const std::string& text() const { return text_; }

 private:
  void filled(std::string_view text);

  std::string text_;
  bool below_title_ = false;
};

}  // namespace kvmscope
