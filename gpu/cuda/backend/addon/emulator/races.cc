/**
 * Checks every access of a kernel. Kernels are compiled with -fsanitize=thread, which inserts calls of the functions at
 * the end of this file (the interface of GCC's and LLVM's ThreadSanitizer); the library of that name, which only knows
 * operating system threads, is not linked.
 *
 * A launch is divided into stages: one for each block, and one more for each barrier that it passes. Since blocks run
 * one after another, the number of a stage also tells whether an access was made by an earlier block. Shadow memory
 * records the stage, the thread and the code location of the last access of each kind in a launch.
 */
#include "races.h"

#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>

#include "emulator.h"
#include "runtime.h"

namespace emulator::races {
namespace {

/** Two bits: whether it writes, and whether it is volatile. */
enum Kind : unsigned { kRead = 0, kWrite = 1, kVolatileRead = 2, kVolatileWrite = 3 };
constexpr unsigned kKinds = 4;

bool canRace(unsigned a, unsigned b) { return ((a | b) & kWrite) != 0 && (a & b & kVolatileRead) == 0; }

struct Access {
  /** 0 if there was none. */
  uint32_t stage;
  /** The code location: an offset in this addon. */
  uint32_t place;
  uint16_t thread;
  /** Whether other threads did the same in this stage. */
  bool isOneOfMany;
};

struct Shadow {
  Access last[kKinds];
};

/** Shadows by number, in pages that are allocated when touched. */
class ShadowMemory {
 public:
  Shadow& at(uintptr_t number) {
    const uintptr_t page = number / kPageSize;
    Recent& recent = recent_[page % kRecent];
    if (recent.page != page) {
      auto& shadows = pages_[page];
      if (!shadows) shadows.reset(new Shadow[kPageSize]());
      recent = {page, shadows.get()};
    }
    return recent.shadows[number % kPageSize];
  }

  void clear() {
    pages_.clear();
    recent_.fill({});
  }

 private:
  static constexpr size_t kPageSize = 1024;
  static constexpr size_t kRecent = 256;
  struct Recent {
    uintptr_t page = UINTPTR_MAX;
    Shadow* shadows = nullptr;
  };
  std::unordered_map<uintptr_t, std::unique_ptr<Shadow[]>> pages_;
  std::array<Recent, kRecent> recent_;
};

Range stacks, arguments, fixedShared, dynamicShared;
const std::map<uint64_t, size_t>* allocations = nullptr;
/** The allocation of the last access. */
Range recentAllocation;
/** 0 before the first launch. */
uint32_t stage = 0;
uint32_t firstStageOfBlock = 0;
/** Words of 4 bytes, and single bytes for accesses of 1 or 2 bytes. */
ShadowMemory words, bytes;

bool contains(const Range& range, const unsigned char* address, size_t size = 1) {
  return address >= range.start && size <= range.bytes &&
         static_cast<size_t>(address - range.start) <= range.bytes - size;
}

const Dl_info& addon() {
  static const Dl_info info = [] {
    Dl_info result{};
    dladdr(&stage, &result);
    return result;
  }();
  return info;
}

/** The code location of the access for which a hook was called. */
uint32_t placeIn(const void* returnAddress) {
  const auto* place = static_cast<const char*>(returnAddress) - 1;
  return static_cast<uint32_t>(place - static_cast<const char*>(addon().dli_fbase));
}

/** The source lines of a location, innermost first, if binutils' addr2line is installed. */
std::string describePlace(uint32_t place) {
  char offset[16];
  std::snprintf(offset, sizeof offset, "0x%x", place);
  std::string path;
  for (const char* c = addon().dli_fname; *c != '\0'; ++c) path += *c == '\'' ? "'\\''" : std::string(1, *c);
  std::string lines;
  if (FILE* output = popen(("addr2line -s -i -e '" + path + "' " + offset + " 2>/dev/null").c_str(), "r")) {
    char buffer[256];
    while (std::fgets(buffer, sizeof buffer, output)) {
      const std::string line(buffer, std::strcspn(buffer, " \n"));
      const bool isOurs = line.rfind("emulator.h:", 0) == 0 || line.rfind("intrinsics.h:", 0) == 0;
      if (!isOurs && line[0] != '?') lines += (lines.empty() ? "" : " from ") + line;
    }
    pclose(output);
  }
  return lines.empty() ? std::string("offset ") + offset : lines;
}

[[noreturn]] void failByRace(const Access& access, Kind kind, const Access& other, Kind otherKind, bool isShared) {
  static constexpr const char* names[kKinds] = {"a read", "a write", "a volatile or atomic read",
                                                "a volatile or atomic write"};
  const std::string who = other.stage < firstStageOfBlock ? "a thread of another block"
                          : other.thread == access.thread ? "another thread"
                                                          : "thread " + std::to_string(other.thread);
  fail(std::string("race in ") + (isShared ? "shared" : "global") + " memory: " + names[kind] + " by thread " +
       std::to_string(access.thread) + " at " + describePlace(access.place) + " after " + names[otherKind] + " by " +
       who + " at " + describePlace(other.place) + ", and no barrier between them");
}

bool meets(const Access& access, const Access& other, bool isShared) {
  if (other.stage == access.stage) return other.isOneOfMany || other.thread != access.thread;
  // The same shared memory address is different memory in each block.
  return other.stage != 0 && other.stage < firstStageOfBlock && !isShared;
}

void check(Shadow& shadow, Access access, Kind kind, bool isShared) {
  for (const Kind otherKind : {kRead, kWrite, kVolatileRead, kVolatileWrite}) {
    const Access& other = shadow.last[otherKind];
    if (!canRace(kind, otherKind) || !meets(access, other, isShared)) continue;
    failByRace(access, kind, other, otherKind, isShared);
  }
  Access& last = shadow.last[kind];
  // What races with an access of this block also races with that of an earlier one.
  if (last.stage != 0 && last.stage < firstStageOfBlock && !isShared) return;
  access.isOneOfMany = last.stage == stage && (last.isOneOfMany || last.thread != access.thread);
  last = access;
}

// The linker's symbols for the ends of this addon, which contains tables and the emulator's state of a block.
extern "C" HIDDEN const unsigned char __ehdr_start[];
extern "C" HIDDEN const unsigned char _end[];

bool isAllocated(const unsigned char* start, size_t size) {
  if (contains(recentAllocation, start, size)) return true;
  auto after = allocations->upper_bound(reinterpret_cast<uintptr_t>(start));
  if (after == allocations->begin()) return false;
  --after;
  recentAllocation = {reinterpret_cast<const unsigned char*>(after->first), after->second};
  return contains(recentAllocation, start, size);
}

void checkBounds(const unsigned char* start, size_t size, Kind kind, const void* returnAddress) {
  if (!allocations || isAllocated(start, size)) return;
  if (contains(arguments, start, size) || (start >= __ehdr_start && start < _end)) return;
  fail(std::string(kind & kWrite ? "a write" : "a read") + " of " + std::to_string(size) + " bytes by thread " +
       std::to_string(threadIdx.y * blockDim.x + threadIdx.x) + " at " + describePlace(placeIn(returnAddress)) +
       " that do not lie in one allocation");
}

void noteAccess(const void* pointer, size_t size, Kind kind, const void* returnAddress) {
  const auto* start = static_cast<const unsigned char*>(pointer);
  if (stage == 0 || contains(stacks, start)) return;
  const bool isShared = contains(fixedShared, start) || contains(dynamicShared, start, size);
  if (!isShared) checkBounds(start, size, kind, returnAddress);
  const Access access{stage, placeIn(returnAddress), static_cast<uint16_t>(threadIdx.y * blockDim.x + threadIdx.x),
                      false};
  const auto address = reinterpret_cast<uintptr_t>(start);
  if (size < 4) {
    for (size_t i = 0; i < size; ++i) check(bytes.at(address + i), access, kind, isShared);
  } else {
    for (size_t i = 0; i < size; i += 4) check(words.at((address + i) / 4), access, kind, isShared);
  }
}

}  // namespace

void setStacks(Range range) { stacks = range; }

void setAllocations(const std::map<uint64_t, size_t>* map) { allocations = map; }

void begin(Range given, Range fixed, Range dynamic) {
  arguments = given;
  recentAllocation = {};
  words.clear();
  bytes.clear();
  fixedShared = fixed;
  dynamicShared = dynamic;
  stage = 0;
}

void beginBlock() { firstStageOfBlock = ++stage; }

void passBarrier() { ++stage; }

}  // namespace emulator::races

// Called by compiler-generated code before each access.

using namespace emulator::races;

#define HOOK(name, size, kind) \
  HIDDEN void __tsan_##name##size(void* address) { noteAccess(address, size, kind, __builtin_return_address(0)); }
#define HOOKS(size)                                  \
  HOOK(read, size, kRead)                            \
  HOOK(write, size, kWrite)                          \
  HOOK(unaligned_read, size, kRead)                  \
  HOOK(unaligned_write, size, kWrite)                \
  HOOK(volatile_read, size, kVolatileRead)           \
  HOOK(volatile_write, size, kVolatileWrite)         \
  HOOK(unaligned_volatile_read, size, kVolatileRead) \
  HOOK(unaligned_volatile_write, size, kVolatileWrite)

extern "C" {

HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
HIDDEN void __tsan_read_range(void* address, size_t size) {
  noteAccess(address, size, kRead, __builtin_return_address(0));
}
HIDDEN void __tsan_write_range(void* address, size_t size) {
  noteAccess(address, size, kWrite, __builtin_return_address(0));
}
HIDDEN void __tsan_init() {}
}
