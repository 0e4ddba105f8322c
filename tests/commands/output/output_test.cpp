// Where bytes go, and what happens when they cannot go there.

#include "commands/output/output.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "commands/output/messages.hpp"
#include "core/base/error.hpp"
#include "core/base/file.hpp"

namespace kvmscope {
namespace {

struct Pipe {
  FileDescriptor reader;
  FileDescriptor writer;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    reader = FileDescriptor(ends[0]);
    writer = FileDescriptor(ends[1]);
  }
  std::string read_all() {
    writer = FileDescriptor();
    std::string text(1 << 16, '\0');
    text.resize(static_cast<std::size_t>(read(reader.get(), text.data(), text.size())));
    return text;
  }
};

TEST(Output, WritesToADescriptorWhenFlushed) {
  Pipe pipe;
  Output out(pipe.writer.get());
  out.write("abc");
  out.flush();
  EXPECT_EQ(pipe.read_all(), "abc");
}

TEST(Output, AReaderThatWentAwayIsToldOnceAndThenIgnored) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.reader = FileDescriptor();
  Output out(pipe.writer.get());
  out.write("abc");
  try {
    out.flush();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  }
  EXPECT_TRUE(out.reader_gone());
  out.write(std::string(1 << 20, 'x'));
  out.flush();
}

TEST(Output, AFullDiskIsAnErrorWithItsReason) {
  const FileDescriptor full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  Output out(full.get());
  out.write("abc");
  try {
    out.flush();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(exit_status(error.kind()), 70);
    EXPECT_STREQ(error.what(), "cannot write the output: No space left on device");
  }
  EXPECT_FALSE(out.reader_gone());
  Output quiet(full.get(), Output::OnFailure::ignore);
  quiet.write("abc");
  quiet.flush();
}

TEST(Output, HoldsAFewLinesAndSendsMoreElsewhere) {
  Pipe first;
  Pipe second;
  Output out(first.writer.get());
  const auto open_second = [&] { return second.writer.get(); };
  out.hold(2, open_second);
  out.write("1\n2\n");
  out.flush();
  out.release();
  EXPECT_EQ(first.read_all(), "1\n2\n");
  out.hold(2, open_second);
  out.write("1\n2\n");
  out.write("3\n");
  out.flush();
  EXPECT_EQ(second.read_all(), "1\n2\n3\n");
}

TEST(Messages, AreKeptBackWhileAPagerHasTheTerminal) {
  Output out;
  Messages messages(out, false, false);
  messages.hold();
  messages.note("one");
  EXPECT_EQ(out.text(), "");
  messages.release();
  EXPECT_EQ(out.text(), "kvmscope: note: one\n");
}

TEST(Messages, ProgressIsForTerminalsOnly) {
  Output out;
  Messages messages(out, false, true);
  messages.start_progress();
  messages.progress("1 of 2");
  EXPECT_EQ(out.text(), "");
}

TEST(Messages, ProgressComesAfterASecondAndIsErasedBeforeTheNextMessage) {
  Output out;
  Messages messages(out, true, false);
  messages.start_progress();
  messages.progress("1 of 2");
  EXPECT_EQ(out.text(), "");
  usleep(1'050'000);
  messages.progress("2 of \x1b");
  messages.progress("too soon after the other");
  EXPECT_EQ(out.text(), "\r\x1b[K2 of \\e…");
  out.clear_text();
  messages.note("done");
  messages.note("again");
  EXPECT_EQ(out.text(), "\r\x1b[Kkvmscope: note: done\nkvmscope: note: again\n");
}

TEST(Messages, ColourIsForTerminalsOnly) {
  Output out;
  Messages(out, false, true).error("a:1", "bad \x1b");
  EXPECT_EQ(out.text(), "kvmscope: a:1: bad \\e\n");
  out.clear_text();
  Messages(out, true, true).error("", "bad");
  EXPECT_EQ(out.text(), "\x1b[31mkvmscope:\x1b[0m bad\n");
  out.clear_text();
  Messages(out, true, false).error("", "bad");
  EXPECT_EQ(out.text(), "kvmscope: bad\n");
}

}  // namespace
}  // namespace kvmscope
