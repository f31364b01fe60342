/**
 * Races: accesses of one word of memory by two threads, one of them a write, that are not ordered by a barrier; and
 * accesses of global memory that do not lie in one allocation. Checked only if GROOTVL_RACES is defined, in the addon
 * grootvl_cuda_races; otherwise these calls do nothing.
 *
 * Accesses are ordered if a barrier of the block lies between them; those of different blocks of a launch never are.
 * Atomics and volatile accesses (intrinsics.h implements atomics with volatile) do not race with one another.
 */
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace emulator::races {

struct Range {
  const unsigned char* start;
  size_t bytes;
};

#ifdef GROOTVL_RACES

constexpr bool kChecked = true;

/** The stacks of threads, which are not shared. */
void setStacks(Range stacks);
/** Sizes, by address, of the allocations that the next launch may access. */
void setAllocations(const std::map<uint64_t, size_t>* allocations);
/**
 * Begins a launch, with its arguments and the shared memory that all of its blocks use in turn. The first race, or
 * access outside of the allocations, makes it fail.
 */
void begin(Range arguments, Range fixedShared, Range dynamicShared);
void beginBlock();
void passBarrier();

#else

constexpr bool kChecked = false;

inline void setStacks(Range) {}
inline void setAllocations(const std::map<uint64_t, size_t>*) {}
inline void begin(Range, Range, Range) {}
inline void beginBlock() {}
inline void passBarrier() {}

#endif

}  // namespace emulator::races
