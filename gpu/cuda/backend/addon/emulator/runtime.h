/** How the emulated driver runs kernels. */
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "../driver.h"

namespace emulator {

/** A kernel as its KERNEL line registered it. */
struct Kernel {
  std::string name;
  uint32_t maxThreads;
  /** The end of the last parameter. */
  size_t argumentSize;
  /** Runs one thread of it. */
  void (*call)(const uint8_t* arguments);
};

/** Every kernel of the addon. */
const std::vector<Kernel>& kernels();

/** In which order the blocks of a grid and the threads of a block get their turns. */
struct Order {
  enum Kind { kForward, kBackward, kShuffled } kind = kForward;
  std::mt19937 random;
  /** @param text `forward`, `backward`, `shuffled` or `shuffled:<seed>`; null is forward. Throws at anything else. */
  static Order parse(const char* text);
};

/** Runs a whole grid, and throws when a barrier was not reached by all. The limits have been checked. */
void run(const Kernel& kernel, const grootvl::LaunchShape& shape, const uint8_t* arguments, Order& order);

/** Makes the running launch fail: to be called by what a kernel calls. */
[[noreturn]] void fail(const std::string& what);

}  // namespace emulator
