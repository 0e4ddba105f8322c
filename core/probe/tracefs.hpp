// Tracefs as a tree of small files: the mounted one, or a test's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.hpp"

namespace kvmscope::probe {

// Paths are relative to the mount: "instances/x/events/kvmmmu/enable". What can fail for a reason
// that matters to the caller returns 0 or an errno, since some of it runs while we clean up.
class Tracefs {
 public:
  virtual ~Tracefs() = default;

  virtual const std::string& root() const = 0;
  // The whole file, into `text`.
  [[nodiscard]] virtual int read(const std::string& path, std::string& text) const = 0;
  // The same. Throws Error{unavailable} with the reason.
  std::string text(const std::string& path) const;
  virtual bool exists(const std::string& path) const = 0;
  // Names of the folders in a folder; none when it cannot be read.
  virtual std::vector<std::string> folders(const std::string& path) const = 0;
  // One write() of `text` to a file that exists.
  [[nodiscard]] virtual int write(const std::string& path, std::string_view text) = 0;
  // The same behind what the file holds: opened without O_TRUNC, which empties kprobe_events.
  [[nodiscard]] virtual int append(const std::string& path, std::string_view text) = 0;
  [[nodiscard]] virtual int make_folder(const std::string& path) = 0;
  [[nodiscard]] virtual int remove_folder(const std::string& path) = 0;
  // For reading without waiting. Throws Error{unavailable}.
  virtual FileDescriptor open_stream(const std::string& path) const = 0;
};

// Tracefs as files below `root`.
std::unique_ptr<Tracefs> tracefs_at(std::string root);

// Where tracefs is mounted, by a file like /proc/self/mounts: /sys/kernel/tracing before other
// places. Throws Error{unavailable} that says how to mount it, or that we may not use it.
std::string find_tracefs(const std::string& mounts = "/proc/self/mounts");

}  // namespace kvmscope::probe
