#include "tests/support/dump_files.hpp"

#include <elf.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "core/base/address.hpp"

namespace kvmscope {
namespace {

void append(FileBytes& file, Bytes bytes) {
  file.insert(file.end(), bytes.begin(), bytes.end());
}

void put_text(FileBytes& file, std::size_t offset, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) put(file, offset + i, text[i]);
}

// One note: header, name padded to 4 bytes, text padded to 4 bytes.
FileBytes vmcoreinfo_note(std::string_view text) {
  constexpr std::string_view name("VMCOREINFO\0", 11);
  FileBytes note;
  put(note, 0,
      Elf64_Nhdr{static_cast<Elf64_Word>(name.size()), static_cast<Elf64_Word>(text.size()), 0});
  put_text(note, note.size(), name);
  note.resize(align_up(note.size(), 4));
  append(note, std::as_bytes(std::span(text)));
  note.resize(align_up(note.size(), 4));
  return note;
}

FileBytes compress_page(Bytes page) {
  uLongf size = compressBound(page.size());
  FileBytes result(size);
  if (compress(reinterpret_cast<Bytef*>(result.data()), &size,
               reinterpret_cast<const Bytef*>(page.data()), page.size()) != Z_OK)
    throw std::runtime_error("zlib failed");
  result.resize(size);
  return result;
}

}  // namespace

TemporaryFile::TemporaryFile(Bytes content)
    : path_((std::filesystem::temp_directory_path() / "kvmscope-test-XXXXXX").string()) {
  const int fd = mkstemp(path_.data());
  if (fd < 0) throw std::runtime_error("mkstemp failed");
  const ssize_t written = write(fd, content.data(), content.size());
  close(fd);
  if (written != static_cast<ssize_t>(content.size())) throw std::runtime_error("write failed");
}

TemporaryFile::TemporaryFile(std::string_view text)
    : TemporaryFile(std::as_bytes(std::span(text))) {}

TemporaryFile::~TemporaryFile() {
  unlink(path_.c_str());
}

FileBytes filled(std::byte fill, std::size_t size) {
  return FileBytes(size, fill);
}

std::size_t ElfFile::data_offset() const {
  const std::size_t headers = segments.size() + (vmcoreinfo ? 1 : 0);
  const std::size_t start = section_header_first ? 192 : sizeof(Elf64_Ehdr);
  std::size_t note = 0;
  if (vmcoreinfo) note = vmcoreinfo_note(*vmcoreinfo).size();
  return start + headers * sizeof(Elf64_Phdr) + note;
}

FileBytes ElfFile::build() const {
  const std::size_t headers = segments.size() + (vmcoreinfo ? 1 : 0);
  Elf64_Ehdr header{};
  std::copy_n(ELFMAG, SELFMAG, header.e_ident);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = type;
  header.e_machine = machine;
  header.e_version = EV_CURRENT;
  header.e_phoff = section_header_first ? 192 : sizeof(Elf64_Ehdr);
  header.e_shoff = section_header_first ? 64 : 0;
  header.e_shnum = section_header_first ? 1 : 0;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = extended_numbering ? PN_XNUM : static_cast<Elf64_Half>(headers);
  FileBytes file;
  put(file, 0, header);
  if (section_header_first) {
    Elf64_Shdr section{};
    section.sh_info = static_cast<Elf64_Word>(headers);
    put(file, 64, section);
  }

  file.resize(header.e_phoff + headers * sizeof(Elf64_Phdr));
  std::size_t next = header.e_phoff;
  if (vmcoreinfo) {
    const FileBytes note = vmcoreinfo_note(*vmcoreinfo);
    put(file, next, Elf64_Phdr{PT_NOTE, 0, file.size(), 0, 0, note.size(), note.size(), 0});
    next += sizeof(Elf64_Phdr);
    append(file, note);
  }
  for (const Segment& segment : segments) {
    const std::uint64_t size = segment.bytes.size();
    put(file, next,
        Elf64_Phdr{PT_LOAD, 0, file.size(), segment.virtual_address, segment.physical, size,
                   segment.memory_bytes != 0 ? segment.memory_bytes : size, 0});
    next += sizeof(Elf64_Phdr);
    append(file, segment.bytes);
  }
  return file;
}

// Block 0: header, block 1: sub header, block 2: VMCOREINFO.
std::size_t KdumpFile::bitmaps_offset() const {
  return 3 * page_size;
}

std::size_t KdumpFile::descriptors_offset() const {
  const std::size_t blocks = align_up(align_up(frames, 8) / 8, page_size) / page_size;
  return bitmaps_offset() + 2 * blocks * page_size;
}

std::size_t KdumpFile::data_offset() const {
  return descriptors_offset() + 24 * pages.size();
}

FileBytes KdumpFile::build() const {
  FileBytes file(descriptors_offset());
  const std::size_t bitmap_bytes = (descriptors_offset() - bitmaps_offset()) / 2;
  put_text(file, 0, "KDUMP   ");
  put(file, 8, std::int32_t{6});
  if (!machine_only) {
    put_text(file, 12, "Linux");
    put_text(file, 12 + 2 * 65, "6.1.0-test");
    put_text(file, 12 + 3 * 65, "#1 SMP");
  }
  put_text(file, 12 + 4 * 65, "x86_64");
  put(file, 424, status);
  put(file, 428, static_cast<std::int32_t>(page_size));
  put(file, 432, std::int32_t{2});  // sub_hdr_size
  put(file, 436, static_cast<std::uint32_t>(2 * bitmap_bytes / page_size));
  put(file, 440, static_cast<std::uint32_t>(frames));
  put(file, page_size + 12, std::int32_t{split ? 1 : 0});
  put(file, page_size + 96, frames);  // max_mapnr_64
  if (vmcoreinfo) {
    put(file, page_size + 32, 2 * page_size);
    put(file, page_size + 40, std::uint64_t{vmcoreinfo->size()});
    put_text(file, 2 * page_size, *vmcoreinfo);
  }

  const auto set_bit = [&](std::size_t bitmap, std::uint64_t frame) {
    file[bitmap + frame / 8] |= std::byte{1} << (frame % 8);
  };
  for (const std::uint64_t frame : memory) set_bit(bitmaps_offset(), frame);
  file.resize(data_offset());
  std::size_t descriptor = descriptors_offset();
  for (const auto& [frame, page] : pages) {
    set_bit(bitmaps_offset(), frame);
    set_bit(bitmaps_offset() + bitmap_bytes, frame);
    const bool zlib = page.storage == Storage::zlib;
    const FileBytes stored = zlib ? compress_page(page.bytes) : page.bytes;
    put(file, descriptor, std::uint64_t{file.size()});
    put(file, descriptor + 8, static_cast<std::uint32_t>(stored.size()));
    put(file, descriptor + 12, std::uint32_t{zlib ? 1U : 0U});
    descriptor += 24;
    append(file, stored);
  }
  return file;
}

}  // namespace kvmscope
