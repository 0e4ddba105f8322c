#include "commands/output/messages.hpp"

#include <utility>

#include <fmt/format.h>

#include "commands/output/escape.hpp"

namespace kvmscope {
namespace {

constexpr auto progress_after = std::chrono::seconds(1);
constexpr auto progress_every = std::chrono::milliseconds(100);
constexpr std::size_t progress_width = 70;
constexpr std::string_view erase_line = "\r\x1b[K";

// A progress line must not wrap, or it could not be erased.
std::string first_columns(std::string text, std::size_t columns) {
  while (display_width(text) > columns) {
    while ((static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.pop_back();
    text.pop_back();
  }
  return text;
}

}  // namespace

void Messages::send(std::string_view bytes) {
  if (holding_) {
    held_ += bytes;
    return;
  }
  clear_progress();
  out_.write(bytes);
  out_.flush();
}

void Messages::release() {
  holding_ = false;
  if (!held_.empty()) send(std::exchange(held_, ""));
}

void Messages::note(std::string_view text) {
  send(fmt::format("{}kvmscope: note:{} {}\n", color_ ? "\x1b[33m" : "", color_ ? "\x1b[0m" : "",
                   escape_text(text)));
}

void Messages::error(std::string_view where, std::string_view text) {
  send(fmt::format("{}kvmscope:{} {}{}{}\n", color_ ? "\x1b[31m" : "", color_ ? "\x1b[0m" : "",
                   escape_text(where), where.empty() ? "" : ": ", escape_text(text)));
}

void Messages::line(std::string_view text) {
  send(escape_text(text) + '\n');
}

void Messages::start_progress() {
  next_progress_ = Clock::now() + progress_after;
}

void Messages::progress(std::string_view text) {
  if (!terminal_ || holding_) return;
  const Clock::time_point now = Clock::now();
  if (now < next_progress_) return;
  next_progress_ = now + progress_every;
  out_.write(fmt::format("{}{}…", erase_line, first_columns(escape_text(text), progress_width)));
  out_.flush();
  progress_shown_ = true;
}

void Messages::clear_progress() {
  if (!progress_shown_) return;
  progress_shown_ = false;
  out_.write(erase_line);
  out_.flush();
}

}  // namespace kvmscope
