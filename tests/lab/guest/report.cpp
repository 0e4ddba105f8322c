// Writes the runner's lines to standard output, which is the serial console.
#include "tests/lab/guest/report.hpp"

#include <unistd.h>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>

namespace lab {
namespace {

constexpr size_t kLineBytes = 512;

void write_line(std::string line) {
  line += '\n';
  [[maybe_unused]] ssize_t written = write(STDOUT_FILENO, line.data(), line.size());
}

}  // namespace

void say(const char* format, ...) {
  char text[kLineBytes];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  write_line(text);
}

void fail(const char* format, ...) {
  int error = errno;
  char text[kLineBytes];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  std::string line = std::string("FAILED ") + text;
  if (error != 0) line += std::string(": ") + std::strerror(error);
  write_line(line);
  _exit(1);
}

}  // namespace lab
