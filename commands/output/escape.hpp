// Makes bytes from the target harmless: no control sequence and no broken UTF-8 gets out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kvmscope {

// Text for people and CSV: control characters become \n, \t, \e or \xNN, bytes that are not UTF-8
// \xNN, characters that reorder a line \u{NNNN}. `keep`: control characters that may stay.
std::string escape_text(std::string_view text, std::string_view keep = {});

// A JSON string with its quotes, ASCII control characters as \u00NN. A byte that is not UTF-8
// becomes the text \xNN, as in tables: JSON has no way to say it.
void append_json_string(std::string& out, std::string_view text);

// Columns that escaped text takes on a terminal.
std::size_t display_width(std::string_view text);

}  // namespace kvmscope
