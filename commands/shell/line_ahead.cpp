#include "commands/shell/line_ahead.hpp"

#include "commands/shell/arguments.hpp"
#include "commands/shell/caught.hpp"

namespace kvmscope {

LineAhead look_at_line(const Session& session, std::string_view line) {
  LineAhead ahead;
  // A line that makes no sense is reported when its turn comes.
  caught([&] {
    SplitLine split = split_line(line);
    const std::vector<Word> words = split_words(split.command);
    if (words.empty()) return;
    ahead.command = match_command(session.catalogue(), words.front().text);
    ahead.redirection = std::move(split.redirection);
    ahead.args = parse_line(session.catalogue(), split.command, words, {}).args;
  });
  return ahead;
}

LineAhead look_at_words(const Session& session, const std::vector<std::string>& words) {
  LineAhead ahead;
  caught([&] {
    ahead.command = match_command(session.catalogue(), words.front());
    const PlacedWords placed = place_words(words);
    ahead.args = parse_line(session.catalogue(), placed.line, placed.words, {}).args;
  });
  return ahead;
}

}  // namespace kvmscope
