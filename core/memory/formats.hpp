// One opener for each dump format; open_dump() chooses between them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/file.hpp"
#include "core/memory/dump.hpp"

namespace kvmscope {

// An ELF core. Throws Error{unavailable} when it is not one of a kernel, or its headers are cut.
std::unique_ptr<Dump> open_elf(std::unique_ptr<MappedFile> file);

// A kdump-compressed file. Throws Error{unavailable} with libkdumpfile's words or ours.
std::unique_ptr<Dump> open_kdump(std::unique_ptr<MappedFile> file);

// The page compressions that the loaded libkdumpfile was built with: "zlib", "lzo", …
std::vector<std::string> kdump_codecs();

}  // namespace kvmscope
