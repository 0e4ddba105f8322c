// What the guest runner tells the lab over the serial console: facts, one a line, or why it failed.
#pragma once

namespace lab {

// Prints one line at once, so that lines of several processes do not mix.
[[gnu::format(printf, 1, 2)]] void say(const char* format, ...);

// Prints "FAILED ..." with errno's text when errno is set, and ends the process.
[[noreturn, gnu::format(printf, 1, 2)]] void fail(const char* format, ...);

}  // namespace lab
