// Where rendered bytes go: a descriptor or a string, with a buffer in between.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace kvmscope {

// Takes bytes.
class ByteWriter {
 public:
  ByteWriter() = default;
  ByteWriter(const ByteWriter&) = delete;
  ByteWriter& operator=(const ByteWriter&) = delete;
  virtual ~ByteWriter() = default;
  virtual void write(std::string_view bytes) = 0;
};

class Output final : public ByteWriter {
 public:
  enum class OnFailure { raise, ignore };

  // Writes to `fd`, which stays the caller's. -1: bytes stay in text().
  explicit Output(int fd = -1, OnFailure on_failure = OnFailure::raise)
      : fd_(fd), on_failure_(on_failure) {}

  // Throws Error{interrupted} when nobody reads any more (EPIPE, then reader_gone() is true) or
  // on Ctrl-C while the reader makes us wait; Error{internal} when writing fails (a full disk).
  // After the first failure the other bytes are dropped in silence, so that a stream can be closed.
  void write(std::string_view bytes) override;
  void flush();

  bool reader_gone() const { return reader_gone_; }
  const std::string& text() const { return buffer_; }
  void clear_text() { buffer_.clear(); }

  // Runs before bytes leave: erases a progress line on the same terminal.
  void before_write(std::function<void()> hook) { before_write_ = std::move(hook); }
  // Keeps up to `lines` lines back; when more come, `open` gives the descriptor that all of
  // them go to (a pager). flush() alone does not end the hold, release() does.
  void hold(std::size_t lines, std::function<int()> open);
  // Ends a hold: what was kept goes to the descriptor of the constructor.
  void release();

 private:
  void drain();
  void end_hold();
  void fail(int reason);

  int fd_;
  OnFailure on_failure_;
  std::string buffer_;
  bool failed_ = false;
  bool reader_gone_ = false;
  std::function<void()> before_write_;
  std::size_t held_lines_ = 0;  // how many more may come
  std::function<int()> open_;   // set: holding
};

}  // namespace kvmscope
