#include "commands/shell/readline_editor.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

// Behind <cstdio>, which they need.
#include <readline/history.h>
#include <readline/readline.h>

#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

// readline's callbacks are given nothing of ours.
LineEditor::Complete complete_line;

// What all candidates start with.
std::string common_start(const std::vector<std::string>& candidates) {
  std::string common = candidates.front();
  for (const std::string& candidate : candidates) {
    const auto end =
        std::mismatch(common.begin(), common.end(), candidate.begin(), candidate.end()).first;
    common.erase(end, common.end());
  }
  return common;
}

void replace_word(std::size_t start, const std::string& text) {
  rl_begin_undo_group();
  rl_delete_text(static_cast<int>(start), rl_point);
  rl_point = static_cast<int>(start);
  rl_insert_text(text.c_str());
  rl_end_undo_group();
}

// readline wants a list whose first entry is what the others have in common.
void show_list(std::vector<std::string> names) {
  std::size_t longest = 0;
  for (const std::string& name : names) longest = std::max(longest, name.size());
  names.insert(names.begin(), "");
  std::vector<char*> list;
  for (std::string& name : names) list.push_back(name.data());
  list.push_back(nullptr);
  rl_display_match_list(list.data(), static_cast<int>(names.size() - 1), static_cast<int>(longest));
  rl_forced_update_display();
}

void complete_word() {
  const auto cursor = static_cast<std::size_t>(rl_point);
  const Completion found = complete_line(std::string_view(rl_line_buffer), cursor);
  if (found.candidates.empty()) {
    rl_ding();
    return;
  }
  const std::string common = common_start(found.candidates);
  const bool only = found.candidates.size() == 1;
  if (only || common.size() > cursor - found.start)
    replace_word(found.start,
                 common + (only && found.ends_word && !common.ends_with('/') ? " " : ""));
  else
    show_list(found.candidates);
}

// Called by readline, which is C: what cannot be completed is not worth an error at the prompt.
int on_tab(int, int) {
  try {
    complete_word();
  } catch (const std::exception&) {
    rl_ding();
  }
  return 0;
}

// Ctrl-C at the prompt starts a new line. (Ctrl-C during completion came here as an error.)
int on_signal() {
  if (!interrupted()) return 0;
  clear_interrupted();
  std::fputs("^C", rl_outstream);
  rl_free_line_state();
  rl_replace_line("", 0);
  rl_crlf();
  rl_on_new_line();
  rl_redisplay();
  return 0;
}

}  // namespace

LineEditor::LineEditor(Complete complete) {
  complete_line = std::move(complete);
  rl_readline_name = "kvmscope";
  rl_catch_signals = 0;
  rl_signal_event_hook = on_signal;
  if (isatty(STDOUT_FILENO) == 0) rl_outstream = stderr;
  rl_initialize();
  for (const Keymap map : {emacs_standard_keymap, vi_insertion_keymap})
    rl_bind_key_in_map('\t', on_tab, map);
}

LineEditor::~LineEditor() {
  rl_signal_event_hook = nullptr;
  complete_line = nullptr;
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  const std::unique_ptr<char, void (*)(void*)> line(readline(prompt.c_str()), std::free);
  if (line == nullptr) return std::nullopt;
  return std::string(line.get());
}

void LineEditor::remember(const std::string& line) {
  add_history(line.c_str());
}

}  // namespace kvmscope
