// What the tables of guests in every paging mode hold: as data, each entry with what comes of it.
#pragma once

#include "tests/lab/guest/memory.hpp"

#include <cstdint>

namespace lab {

// A VM's memory: programs and page tables, then data for small pages and for large ones, and more
// above 4 GiB; a device's registers are in no memslot.
constexpr uint64_t kLowBytes = 8 * kMiB;
constexpr uint64_t kData = 2 * kMiB;
constexpr uint64_t kLarge = 4 * kMiB;
constexpr uint64_t kHigh = 4096 * kMiB;
constexpr uint64_t kHighBytes = 4 * kMiB;
constexpr uint64_t kDevice = 0xd0000000;
constexpr unsigned kShadowPages = 1000;

// Bits of entries. Which of them a mode reserves is its affair.
constexpr uint64_t kPresent = 1;
constexpr uint64_t kUsual = 0x7;        // present, writable, user
constexpr uint64_t kLargePage = 0x80;   // in an entry that can point to a table
constexpr uint64_t kSmallPat = 0x80;    // in a level-1 entry
constexpr uint64_t kLargePat = 0x1000;  // in a large page's entry
constexpr uint64_t kGlobal = 0x100;
constexpr uint64_t kIgnored = 0x7full << 52;
constexpr uint64_t kBeyondAddresses = 1ull << 51;
constexpr uint64_t kNoExecute = 1ull << 63;
constexpr uint64_t kBelowLarge = 1ull << 13;  // an address bit that a large page has not got
constexpr uint64_t kFourMiBReserved = 1ull << 21;
constexpr uint64_t kPse36 = 1ull << 13;  // bit 32 of a 4 MiB page's address
constexpr uint64_t kCacheFlags = 0x18;   // write-through and cache-disable, of CR3

enum class Use { untouched, read, written };

// A page at an address relative to where the mode has room for it.
struct Page {
  uint64_t offset;
  int level;
  uint64_t gpa;
  uint64_t flags = 0;
  Use use = Use::untouched;
};

// An entry that stops a walk.
struct Stop {
  uint64_t offset;
  int level;
  const char* reason;
  uint64_t entry = 0;
};

constexpr char kNonpresent[] = "nonpresent";
constexpr char kReserved[] = "reserved";

// Neighbours in the guest's addresses never are neighbours in its memory.
constexpr Page kSmallPages[] = {
    {0x0000, 1, kData + 0x9000, 0, Use::written}, {0x1000, 1, kData + 0x3000, kSmallPat, Use::read},
    {0x2000, 1, kData + 0x7000, kGlobal},         {0x3000, 1, kData + 0x3000},  // an alias
    {0x4000, 1, kDevice, 0, Use::read},           {0x6000, 1, kDevice + 0x5000},
};
constexpr Page kTwoMiBPages[] = {
    {0x200000, 2, kLarge + 2 * kMiB, kLargePat, Use::read},
    {0x400000, 2, kLarge, kGlobal, Use::written},
    {0x600000, 2, kHigh + 2 * kMiB},
};
constexpr Page kGiBPages[] = {
    {0x40000000, 3, kHigh, kLargePat, Use::read},
    {0x80000000, 3, kDevice & ~0x3fffffffull},
};
constexpr Page kLongPages[] = {{0x7000, 1, kData + 0x5000, kIgnored, Use::read}};
constexpr Page kNoExecutePages[] = {
    {0x8000, 1, kData + 0x8000, kNoExecute, Use::written},
    {0x800000, 2, kHigh, kNoExecute | kLargePat},
};
constexpr Page kFourMiBPages[] = {
    {0x400000, 2, kLarge, kLargePat, Use::written},
    {0x800000, 2, kPse36},  // kHigh
    {0xc00000, 2, kDevice & ~0x3fffffull},
};

constexpr Stop kSmallStops[] = {
    {0x10000, 1, kNonpresent},
    {0x11abc, 1, kNonpresent, 0xabcdef00},  // as of a page that was swapped out
    {0x2000000, 2, kNonpresent},
    {0x3000000, 2, kNonpresent, kData | (kUsual & ~kPresent)},
};
constexpr Stop kWideStops[] = {
    {0x12007, 1, kReserved, kData | kUsual | kBeyondAddresses},
    {0x1200000, 2, kReserved, kData | kUsual | kBeyondAddresses},
    {0x1400123, 2, kReserved, kLarge | kUsual | kLargePage | kBelowLarge},
};
constexpr Stop kLongStops[] = {
    {0x100000000, 3, kNonpresent},
    {0x140000fff, 3, kReserved, kHigh | kUsual | kLargePage | kBelowLarge},
    {0x180000001, 3, kReserved, kData | kUsual | kBeyondAddresses},
};
constexpr Stop kNoNxStops[] = {
    {0x13ff8, 1, kReserved, kData | kUsual | kNoExecute},
    {0x1600000, 2, kReserved, kData | kUsual | kNoExecute},
};
constexpr Stop kFourMiBStops[] = {
    {0x5000000, 2, kReserved, kLarge | kUsual | kLargePage | kFourMiBReserved}};

// These are whole addresses.
constexpr Stop kPaeStops[] = {{0xc0000000, 3, kNonpresent}};
constexpr Stop kFourLevelStops[] = {
    {0x0000050000000000, 4, kNonpresent},
    {0x0000060000000111, 4, kReserved, kData | kUsual | kLargePage},
    {0x0000800000000000, 0, "noncanonical"},
    {0xffff7fffffffffff, 0, "noncanonical"},
};
constexpr Stop kFiveLevelStops[] = {
    {0x0003000000000000, 5, kNonpresent},
    {0x0004000000000222, 5, kReserved, kData | kUsual | kLargePage},
    {0x0001050000000000, 4, kNonpresent},
    {0x0001060000000333, 4, kReserved, kData | kUsual | kLargePage},
    {0x0100000000000000, 0, "noncanonical"},
    {0xfeffffffffffffff, 0, "noncanonical"},
};

}  // namespace lab
