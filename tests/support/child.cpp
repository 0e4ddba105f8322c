#include "tests/support/child.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <exception>

#include <fmt/format.h>

namespace kvmscope {
namespace {

constexpr int went_well = 0;
constexpr int threw = 1;

[[noreturn]] void run(const std::function<std::string()>& body, int output) {
  int status = went_well;
  std::string text;
  try {
    text = body();
  } catch (const std::exception& error) {
    text = error.what();
    status = threw;
  }
  if (write(output, text.data(), text.size()) < 0) status = threw;
  _exit(status);
}

}  // namespace

std::string in_child(const std::function<std::string()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) run(body, ends[1]);
  close(ends[1]);
  std::string text;
  std::array<char, 4096> bytes;
  for (ssize_t count; (count = read(ends[0], bytes.data(), bytes.size())) > 0;)
    text.append(bytes.data(), static_cast<std::size_t>(count));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return WEXITSTATUS(status) == went_well ? text : "it threw: " + text;
}

}  // namespace kvmscope
