// The kernel that runs, as a target: opens /proc/kcore and says why when it cannot.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/base/error.hpp"
#include "core/memory/elf_headers.hpp"
#include "core/memory/kcore.hpp"
#include "core/memory/steady.hpp"

namespace kvmscope {
namespace {

namespace fs = std::filesystem;

// Headers and notes are a few KiB; a file that claims more is none of the kernel's.
constexpr std::uint64_t largest_head = 16 << 20;

class LiveKernel final : public Dump {
 public:
  LiveKernel(KcoreMemory memory, std::optional<std::string> vmcoreinfo, std::string system_root,
             OpenLog* log)
      : virtual_(std::move(memory)),
        physical_(virtual_, virtual_.direct_map().start, virtual_.direct_map().size),
        vmcoreinfo_(std::move(vmcoreinfo)),
        system_root_(std::move(system_root)),
        log_(log) {}

  const PhysReader& memory() const override { return physical_; }
  std::optional<std::string> vmcoreinfo() const override { return vmcoreinfo_; }
  std::string format() const override { return "the running kernel, through /proc/kcore"; }
  std::vector<PhysRange> ranges() const override;
  std::vector<std::string> notes() const override {
    return {"memory changes while it is read; /proc/kcore shows holes as zeros",
            "memory that is added from now on is not seen: run kvmscope again"};
  }
  ReadCounts counts() const override { return virtual_.counts(); }
  const VirtReader* kernel_memory() const override { return &virtual_; }
  DirectMap direct_map() const override { return virtual_.direct_map(); }
  std::optional<std::string> system_root() const override { return system_root_; }
  OpenLog* open_log() const override { return log_; }

 private:
  KcoreMemory virtual_;
  DirectMapMemory physical_;
  std::optional<std::string> vmcoreinfo_;
  std::string system_root_;
  OpenLog* log_;
};

std::vector<PhysRange> LiveKernel::ranges() const {
  std::vector<PhysRange> ranges;
  const DirectMap map = direct_map();
  for (const KcoreSegment& segment : virtual_.segments()) {
    if (!segment.physical || segment.first - map.start >= map.size) continue;
    const PhysAddr end = *segment.physical + (segment.last - segment.first) + 1;
    if (!ranges.empty() && ranges.back().end == *segment.physical)
      ranges.back().end = end;
    else
      ranges.push_back({*segment.physical, end});
  }
  return ranges;
}

// "integrity" of "none [integrity] confidentiality"; empty: none, or it cannot be read.
std::string lockdown_mode(const fs::path& root) {
  const int fd = open((root / "sys/kernel/security/lockdown").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const FileDescriptor file(fd);
  std::string text(256, '\0');
  const ssize_t count = ::read(fd, text.data(), text.size());
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  const std::size_t start = text.find('[');
  const std::size_t end = text.find(']', start);
  if (start == std::string::npos || end == std::string::npos) return "";
  const std::string mode = text.substr(start + 1, end - start - 1);
  return mode == "none" ? "" : mode;
}

FileDescriptor open_file(const fs::path& root, OpenLog* log) {
  const fs::path path = root / "proc/kcore";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (log != nullptr) log->add(path.string(), OpenedFor::reading);
    return FileDescriptor(fd);
  }
  const int reason = errno;
  throw_error(ErrorKind::unavailable, "cannot open {}: {}; {}", path.string(),
              std::strerror(reason), kcore_advice(reason, root.string()));
}

// Bytes from the start of the file; fewer when it ends before.
std::vector<std::byte> read_head(int fd, std::uint64_t size, const std::string& path) {
  std::vector<std::byte> head(std::min(size, largest_head));
  std::size_t done = 0;
  while (done < head.size()) {
    const ssize_t count =
        pread(fd, head.data() + done, head.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      throw_error(ErrorKind::unavailable, "cannot read {}: {}", path, std::strerror(errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  head.resize(done);
  return head;
}

// How many bytes hold the program headers, or the notes.
std::uint64_t end_of(std::uint64_t offset, std::uint64_t size) {
  return offset > largest_head || size > largest_head ? largest_head : offset + size;
}

std::vector<KcoreSegment> segments_of(const std::vector<Elf64_Phdr>& headers) {
  std::vector<KcoreSegment> segments;
  constexpr std::uint64_t no_physical_address = ~0ULL;
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type != PT_LOAD || header.p_memsz == 0) continue;
    const std::uint64_t last = header.p_vaddr + (header.p_memsz - 1);
    if (last < header.p_vaddr) continue;
    KcoreSegment segment{{header.p_vaddr}, {last}, header.p_offset, std::nullopt};
    if (header.p_paddr != no_physical_address) segment.physical = PhysAddr{header.p_paddr};
    segments.push_back(segment);
  }
  return segments;
}

}  // namespace

std::string kcore_advice(int reason, const std::string& system_root) {
  if (reason == ENOENT)
    return "this kernel has no /proc/kcore (CONFIG_PROC_KCORE), or /proc is not mounted here; a "
           "dump is opened with -c FILE";
  if (reason != EPERM && reason != EACCES) return "a dump is opened with -c FILE";
  if (const std::string mode = lockdown_mode(system_root); mode == "confidentiality")
    return "the kernel is locked down (/sys/kernel/security/lockdown: confidentiality), which "
           "forbids it to root, too: boot without lockdown=confidentiality, or take a dump";
  return "the running kernel can be looked at by root only (it takes CAP_SYS_RAWIO): use sudo, or "
         "open a dump with -c FILE";
}

std::unique_ptr<Dump> open_live(const std::string& system_root, OpenLog* log) {
  FileDescriptor file = open_file(system_root, log);
  const std::string path = (fs::path(system_root) / "proc/kcore").string();
  std::vector<std::byte> head = read_head(file.get(), sizeof(Elf64_Ehdr), path);
  if (head.size() == sizeof(Elf64_Ehdr)) {
    const auto header = load<Elf64_Ehdr>(head);
    const std::uint64_t size = std::uint64_t{header.e_phnum} * header.e_phentsize;
    head = read_head(file.get(), end_of(header.e_phoff, size), path);
  }
  const std::vector<Elf64_Phdr> headers = read_program_headers(head, path);
  std::uint64_t notes_end = head.size();
  for (const Elf64_Phdr& header : headers)
    if (header.p_type == PT_NOTE)
      notes_end = std::max(notes_end, end_of(header.p_offset, header.p_filesz));
  head = read_head(file.get(), notes_end, path);
  KcoreMemory memory(std::move(file), segments_of(headers));
  if (memory.direct_map().size == 0)
    throw_error(ErrorKind::unavailable, "{} shows no RAM with physical addresses", path);
  return std::make_unique<LiveKernel>(std::move(memory), find_vmcoreinfo(head, headers),
                                      system_root, log);
}

}  // namespace kvmscope
