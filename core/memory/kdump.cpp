// kdump-compressed dumps, through libkdumpfile: the only file that includes it.

#include <dlfcn.h>
#include <libkdumpfile/kdumpfile.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"
#include "core/memory/formats.hpp"
#include "core/memory/kdump_header.hpp"
#include "core/memory/kdump_pages.hpp"
#include "core/memory/missing.hpp"
#include "core/memory/page_cache.hpp"

namespace kvmscope {
namespace {

struct FreeContext {
  void operator()(kdump_ctx_t* context) const { kdump_free(context); }
};
using Context = std::unique_ptr<kdump_ctx_t, FreeContext>;

// What libkdumpfile says about the last failure; it forgets it.
std::string take_reason(kdump_ctx_t* context) {
  const char* text = kdump_get_err(context);
  std::string reason = text != nullptr ? text : "no reason given";
  kdump_clear_err(context);
  return reason;
}

std::string_view advice(std::string_view reason) {
  // 144 bytes: QEMU writes the registers of a 32-bit guest that CPU 0 was running.
  if (reason.find("PRSTATUS") == std::string_view::npos) return "";
  return "; an ELF dump of the same machine can be read";
}

Context open_context(int fd, const std::string& path) {
  Context context(kdump_new());
  if (!context) throw Error(ErrorKind::internal, "libkdumpfile: out of memory");
  // Before the descriptor: with mmap, reading a truncated file dies of SIGBUS (0.5.1).
  kdump_status status =
      kdump_set_number_attr(context.get(), KDUMP_ATTR_FILE_MMAP_POLICY, KDUMP_MMAP_NEVER);
  if (status == KDUMP_OK) status = kdump_open_fd(context.get(), fd);
  if (status != KDUMP_OK) {
    const char* text = kdump_get_err(context.get());
    const std::string reason = text != nullptr ? text : "no reason given";
    // Any other call on it would crash (0.5.1).
    context.reset();
    throw_error(ErrorKind::unavailable, "cannot open {}: libkdumpfile: {}{}", path, reason,
                advice(reason));
  }
  // Our own cache keeps pages; libkdumpfile searches its list of 1024 one by one (0.5.1), which
  // takes longer than decompression. When a later version refuses, it is only slower.
  if (kdump_set_number_attr(context.get(), "cache.size", 8) != KDUMP_OK)
    kdump_clear_err(context.get());
  // QEMU's files name only the machine, from which libkdumpfile does not conclude.
  const char* name = nullptr;
  if (kdump_get_string_attr(context.get(), KDUMP_ATTR_ARCH_NAME, &name) != KDUMP_OK) {
    kdump_clear_err(context.get());
    if (kdump_set_string_attr(context.get(), KDUMP_ATTR_ARCH_NAME, KDUMP_ARCH_X86_64) != KDUMP_OK)
      throw_error(ErrorKind::unavailable, "cannot open {}: libkdumpfile: {}", path,
                  take_reason(context.get()));
  } else if (std::string_view(name) != KDUMP_ARCH_X86_64) {
    throw_error(ErrorKind::unavailable, "{} is a dump of another architecture ({})", path, name);
  }
  return context;
}

class KdumpMemory final : public PhysReader {
 public:
  KdumpMemory(kdump_ctx_t* context, const KdumpPages& pages) : context_(context), pages_(pages) {}

  void read(PhysAddr at, MutableBytes into) const override {
    ++counts_.reads;
    counts_.bytes += into.size();
    while (!into.empty()) {
      const PageCache::Page& page = page_at(at);
      const std::size_t inside = at.value & page_offset_mask;
      const std::size_t count = std::min<std::size_t>(into.size(), page_size - inside);
      std::memcpy(into.data(), page.data() + inside, count);
      into = into.subspan(count);
      at += count;
    }
  }

  const ReadCounts& counts() const { return counts_; }

 private:
  const PageCache::Page& page_at(PhysAddr at) const {
    const Pfn frame = to_pfn(at);
    if (const PageCache::Page* page = cache_.find(frame)) return *page;
    return cache_.fill(frame, [&](PageCache::Page& page) { fetch(at, page); });
  }

  // Reads the page around `at`, which is the address that an error names.
  void fetch(PhysAddr at, PageCache::Page& page) const {
    if (const std::optional<Missing> kind = pages_.missing(to_pfn(at))) throw_missing(at, *kind);
    std::size_t size = page.size();
    const kdump_status status =
        kdump_read(context_, KDUMP_MACHPHYSADDR, to_phys(to_pfn(at)).value, page.data(), &size);
    if (status == KDUMP_OK) return;
    const std::string reason = take_reason(context_);
    check_interrupt();  // a read(2) that Ctrl-C ended
    throw_error(ErrorKind::fault, "physical address {:#x}: the page is damaged: {}", at.value,
                reason);
  }

  kdump_ctx_t* context_;
  const KdumpPages& pages_;
  mutable PageCache cache_;
  mutable ReadCounts counts_;
};

class KdumpDump final : public Dump {
 public:
  explicit KdumpDump(std::unique_ptr<MappedFile> file)
      : file_(std::move(file)),
        header_(read_kdump_header(file_->bytes(), file_->path())),
        pages_(file_->bytes(), header_),
        fd_(open_read_only(file_->path())),
        context_(open_context(fd_.get(), file_->path())),
        memory_(context_.get(), pages_) {}

  const PhysReader& memory() const override { return memory_; }
  std::optional<std::string> vmcoreinfo() const override { return header_.vmcoreinfo; }
  std::string format() const override {
    return "kdump " + (header_.codec.empty() ? "uncompressed" : header_.codec);
  }
  std::vector<PhysRange> ranges() const override { return pages_.memory_ranges(); }
  std::vector<std::string> notes() const override {
    const std::uint64_t expected = pages_.expected_file_size();
    const std::uint64_t size = file_->bytes().size();
    if (expected <= size) return {};
    return {fmt::format("truncated: the headers describe at least {} bytes, the file has {}",
                        expected, size)};
  }
  ReadCounts counts() const override { return memory_.counts(); }

 private:
  std::unique_ptr<MappedFile> file_;
  KdumpHeader header_;
  KdumpPages pages_;
  FileDescriptor fd_;
  Context context_;
  KdumpMemory memory_;
};

// The libraries that the shared object around `address` was linked with ("libz.so.1").
std::vector<std::string> needed_libraries(void* address) {
  std::vector<std::string> needed;
  Dl_info info{};
  link_map* object = nullptr;
  if (address == nullptr ||
      dladdr1(address, &info, reinterpret_cast<void**>(&object), RTLD_DL_LINKMAP) == 0 ||
      object == nullptr)
    return needed;
  const char* strings = nullptr;
  for (const ElfW(Dyn)* entry = object->l_ld; entry->d_tag != DT_NULL; ++entry)
    if (entry->d_tag == DT_STRTAB)
      // An address that the loader has relocated.
      strings =
          reinterpret_cast<const char*>(entry->d_un.d_ptr);  // NOLINT(performance-no-int-to-ptr)
  for (const ElfW(Dyn)* entry = object->l_ld; entry->d_tag != DT_NULL; ++entry)
    if (entry->d_tag == DT_NEEDED && strings != nullptr)
      needed.emplace_back(strings + entry->d_un.d_val);
  return needed;
}

struct CodecLibrary {
  std::string_view codec;
  std::string_view library;
};
constexpr CodecLibrary codec_libraries[] = {
    {"zlib", "libz."}, {"lzo", "liblzo2."}, {"snappy", "libsnappy."}, {"zstd", "libzstd."}};

}  // namespace

// libkdumpfile has no function that tells; what it was linked with does.
std::vector<std::string> kdump_codecs() {
  const std::vector<std::string> libraries = needed_libraries(dlsym(RTLD_DEFAULT, "kdump_new"));
  std::vector<std::string> codecs;
  for (const CodecLibrary& known : codec_libraries)
    if (std::any_of(libraries.begin(), libraries.end(),
                    [&](const std::string& name) { return name.starts_with(known.library); }))
      codecs.emplace_back(known.codec);
  return codecs;
}

std::unique_ptr<Dump> open_kdump(std::unique_ptr<MappedFile> file) {
  const std::string codec = read_kdump_header(file->bytes(), file->path()).codec;
  const std::vector<std::string> known = kdump_codecs();
  if (!codec.empty() && !known.empty() &&
      std::find(known.begin(), known.end(), codec) == known.end())
    throw_error(ErrorKind::unavailable,
                "{} is compressed with {}, which this system's libkdumpfile cannot read; "
                "recompress it: makedumpfile -c FILE NEW",
                file->path(), codec);
  return std::make_unique<KdumpDump>(std::move(file));
}

}  // namespace kvmscope
