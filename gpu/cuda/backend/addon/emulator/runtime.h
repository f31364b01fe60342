/** Runs kernels for the emulated driver. */
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "../driver.h"

namespace emulator {

/** A kernel as registered by its KERNEL line. */
struct Kernel {
  std::string name;
  uint32_t maxThreads;
  /** The end of the last parameter. */
  size_t argumentSize;
  /** Runs one of its threads. */
  void (*call)(const uint8_t* arguments);
};

/** Every kernel of the addon. */
const std::vector<Kernel>& kernels();

/** The order in which the blocks of a grid and the threads of a block run. */
struct Order {
  enum Kind { kForward, kBackward, kShuffled } kind = kForward;
  std::mt19937 random;
  /** @param text `forward`, `backward`, `shuffled` or `shuffled:<seed>`; null is forward. Throws for anything else. */
  static Order parse(const char* text);
};

/** Runs a whole grid, and throws if a barrier was not reached by all threads. The limits have been checked. */
void run(const Kernel& kernel, const grootvl::LaunchShape& shape, const uint8_t* arguments, Order& order);

/** Makes the running launch fail: called from functions that a kernel calls. */
[[noreturn]] void fail(const std::string& what);

}  // namespace emulator
