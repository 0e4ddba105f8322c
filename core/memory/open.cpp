// Recognises a dump by its first bytes, and says what a file is that is none.

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/base/error.hpp"
#include "core/memory/dump.hpp"
#include "core/memory/formats.hpp"

namespace kvmscope {
namespace {

struct Format {
  std::string_view magic;
  std::unique_ptr<Dump> (*open)(std::unique_ptr<MappedFile>);
};

constexpr std::array formats{
    Format{{"\177ELF", 4}, open_elf},
    Format{{"KDUMP   ", 8}, open_kdump},
};

// Files that people give by mistake, and what to do about them.
struct Refusal {
  std::string_view magic;
  std::string_view advice;
};

constexpr std::array refusals{
    Refusal{"makedumpfile", "is a flattened dump; rearrange it first: makedumpfile -R NEW < FILE"},
    Refusal{"DISKDUMP", "is a diskdump of a 2.6 kernel, which is not supported"},
    Refusal{"QEVM", "is a saved machine of QEMU (migrate, savevm); use dump-guest-memory instead"},
    Refusal{"LibvirtQemudSave", "is a saved machine of libvirt; use virsh dump --memory-only"},
    Refusal{{"\x1f\x8b", 2}, "is compressed with gzip; decompress it first"},
    Refusal{{"\xfd"
             "7zXZ",
             5},
            "is compressed with xz; decompress it first"},
    Refusal{{"\x28\xb5\x2f\xfd", 4}, "is compressed with zstd; decompress it first"},
    Refusal{"BZh", "is compressed with bzip2; decompress it first"},
};

// Before anything opens it: opening a pipe would wait for a writer.
void check_regular_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    throw_error(ErrorKind::unavailable, "cannot open {}: {}", path, std::strerror(errno));
  if (S_ISDIR(status.st_mode))
    throw_error(ErrorKind::unavailable, "{} is a folder, not a dump", path);
  if (!S_ISREG(status.st_mode))
    throw_error(ErrorKind::unavailable, "{} is not a regular file; copy the dump into one", path);
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

}  // namespace

std::unique_ptr<Dump> open_dump(const std::string& path, OpenLog* log) {
  check_regular_file(path);
  auto file = std::make_unique<MappedFile>(path, log);
  const Bytes bytes = file->bytes();
  if (bytes.empty()) throw_error(ErrorKind::unavailable, "{} is empty", path);
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Format& format : formats)
    if (start.starts_with(format.magic)) return format.open(std::move(file));
  for (const Refusal& refusal : refusals)
    if (start.starts_with(refusal.magic))
      throw_error(ErrorKind::unavailable, "{} {}", path, refusal.advice);
  throw_error(ErrorKind::unavailable,
              "{} is not a dump that kvmscope knows (ELF core or kdump): it starts with {}", path,
              hex(start.substr(0, 8)));
}

std::vector<std::string> dump_codecs() {
  std::string kdump = "kdump";
  for (const std::string& codec : kdump_codecs()) kdump += " " + codec;
  return {"ELF", kdump};
}

}  // namespace kvmscope
