// Memory that changes while it is read: remembers which bytes mattered, and reads them again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/memory/reader.hpp"

namespace kvmscope {

class Recording;

// How much one command may read, and how long that may take; 0: as it likes.
struct ReadLimits {
  std::uint64_t bytes = 0;
  std::chrono::nanoseconds time{0};
  // How long it has taken so far, without the time that other work takes; needed with `time`.
  std::function<std::chrono::nanoseconds()> taken = {};
};

// A reader over the memory of a kernel that runs. While a Recording lives, bytes that matter are
// remembered in it.
class SteadyMemory final : public VirtReader {
 public:
  // Keeps a reference.
  explicit SteadyMemory(const VirtReader& memory) : memory_(memory) {}

  // Throws what the memory throws, and Error{limit}.
  void read(VirtAddr at, MutableBytes into) const override;
  void peek(VirtAddr at, MutableBytes into) const override;
  void used(VirtAddr at, Bytes bytes, const UseLabel& label) const override;
  bool tracks_use() const override { return true; }

  // Reads a block at once and serves what lies inside from it until drop_kept(), or until a check
  // finds that it has changed.
  void keep(VirtAddr at, std::uint64_t size) const;
  void drop_kept() const { kept_.clear(); }

  // Counts bytes from now on.
  void start(ReadLimits limits) const;

 private:
  friend class Recording;

  void fetch(VirtAddr at, MutableBytes into) const;
  const std::byte* find_kept(VirtAddr at, std::size_t size) const;
  void forget_kept(VirtAddr at) const;

  const VirtReader& memory_;
  mutable Recording* recording_ = nullptr;  // the innermost
  mutable std::map<std::uint64_t, std::vector<std::byte>> kept_;
  mutable ReadLimits limits_;
  mutable std::uint64_t bytes_ = 0;
};

// What a piece of work depends on. What is read inside an inner one belongs to that alone.
class Recording {
 public:
  // nullptr: memory that does not change, nothing is recorded.
  explicit Recording(const SteadyMemory* memory = nullptr);
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording();

  // For one that was made before the memory was opened. Nothing when it has a memory.
  void attach(const SteadyMemory* memory);

  // What is used from now on belongs to this part of the work.
  void part(std::size_t number) { part_ = number; }
  // Forgets what the part depends on.
  void forget(std::size_t number);

  // Reads everything again. For each part that depends on bytes that are not the same any more:
  // the first of them in words, "role.word of struct kvm_mmu_page at 0x… was 0x1, is 0x2". With
  // none, all bytes of a part were in memory at one moment: between the last that was read
  // and the first that was read again (unless one changed and changed back).
  std::map<std::size_t, std::string> changes() const;
  // The change of a work that has one part; empty: none.
  std::string change() const;

 private:
  friend class SteadyMemory;

  struct Use {
    VirtAddr at;
    std::uint32_t size = 0;
    std::uint32_t data = 0;  // where in data_
    std::uint32_t part = 0;
    bool failed = false;  // it could not be read
    UseLabel label;
  };

  void add(VirtAddr at, Bytes bytes, const UseLabel& label);
  void add_failed(VirtAddr at, std::size_t size);
  Bytes bytes_of(const Use& use) const { return Bytes(data_).subspan(use.data, use.size); }
  using Changes = std::map<std::size_t, std::string>;
  void check_run(const std::vector<const Use*>& run, Changes& changes) const;
  void check_one(const Use& use, Changes& changes) const;
  void compare(const Use& use, Bytes now, Changes& changes) const;

  const SteadyMemory* memory_ = nullptr;
  Recording* outer_ = nullptr;
  std::size_t part_ = 0;
  std::vector<Use> uses_;
  std::vector<std::byte> data_;
};

// Physical memory, through the direct map of a kernel that runs.
class DirectMapMemory final : public PhysReader {
 public:
  // Keeps the reference.
  DirectMapMemory(const VirtReader& memory, VirtAddr start, std::uint64_t size)
      : memory_(memory), start_(start), size_(size) {}

  void read(PhysAddr at, MutableBytes into) const override;
  void peek(PhysAddr at, MutableBytes into) const override;
  void used(PhysAddr at, Bytes bytes, const UseLabel& label) const override {
    memory_.used(start_ + at.value, bytes, label);
  }
  bool tracks_use() const override { return memory_.tracks_use(); }

 private:
  void check(PhysAddr at, std::size_t size) const;

  const VirtReader& memory_;
  VirtAddr start_;
  std::uint64_t size_;
};

}  // namespace kvmscope
