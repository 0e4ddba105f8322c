#include "commands/shell/readline_editor.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
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
  list.reserve(names.size() + 1);
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

sigset_t only_interrupt() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Holds Ctrl-C back, or lets it through, while it lives.
class InterruptMask {
 public:
  explicit InterruptMask(int how) {
    const sigset_t signals = only_interrupt();
    pthread_sigmask(how, &signals, &before_);
  }
  InterruptMask(const InterruptMask&) = delete;
  InterruptMask& operator=(const InterruptMask&) = delete;
  ~InterruptMask() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// Called by readline, which is C: what cannot be completed is not worth an error at the prompt.
int on_tab(int, int) {
  const InterruptMask mask(SIG_UNBLOCK);
  try {
    complete_word();
  } catch (const std::exception&) {
    rl_ding();
  }
  return 0;
}

// Ctrl-C at the prompt, or during completion, starts a new line. readline has cleaned up and
// shown ^C by then, and passed the signal on to our own handler.
void handle_interrupt() {
  if (!interrupted()) return;
  clear_interrupted();
  rl_free_line_state();
  rl_replace_line("", 0);
  rl_crlf();
  rl_on_new_line();
  rl_redisplay();
}

// States in which readline reads keys that do not belong to the line.
constexpr unsigned long half_way = RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_NUMERICARG |
                                   RL_STATE_MULTIKEY | RL_STATE_METANEXT | RL_STATE_CHARSEARCH;
constexpr int abort_key = 'G' & 0x1f;  // Ctrl-G

// The next key. Ctrl-C gets through only while this waits, or it could be lost in between.
int next_key(FILE* input) {
  sigset_t waiting;
  pthread_sigmask(SIG_SETMASK, nullptr, &waiting);
  sigdelset(&waiting, SIGINT);
  for (;;) {
    {
      // readline sends itself the signals that it has taken: for Ctrl-Z and a changed window, too.
      const InterruptMask mask(SIG_UNBLOCK);
      rl_check_signals();
    }
    // A search must end first; the flag stays for the next call.
    if (interrupted() && RL_ISSTATE(half_way)) return abort_key;
    handle_interrupt();
    struct pollfd ready = {fileno(input), POLLIN, 0};
    if (ppoll(&ready, 1, nullptr, &waiting) < 0) {
      if (errno != EINTR) return EOF;
      continue;
    }
    unsigned char key = 0;
    const ssize_t count = read(fileno(input), &key, 1);
    if (count == 1) return key;
    if (count == 0 || errno != EINTR) return EOF;
  }
}

}  // namespace

LineEditor::LineEditor(Complete complete) {
  complete_line = std::move(complete);
  rl_readline_name = "kvmscope";
  rl_getc_function = next_key;
  if (isatty(STDOUT_FILENO) == 0) rl_outstream = stderr;
  rl_initialize();
  for (const Keymap map : {emacs_standard_keymap, vi_insertion_keymap})
    rl_bind_key_in_map('\t', on_tab, map);
}

LineEditor::~LineEditor() {
  rl_getc_function = rl_getc;
  complete_line = nullptr;
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  const InterruptMask mask(SIG_BLOCK);
  const std::unique_ptr<char, void (*)(void*)> line(readline(prompt.c_str()), std::free);
  if (line == nullptr) return std::nullopt;
  return std::string(line.get());
}

void LineEditor::remember(const std::string& line) {
  add_history(line.c_str());
}

}  // namespace kvmscope
