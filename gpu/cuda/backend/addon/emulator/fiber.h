/** Stacks of their own for the threads of a block, and the switch between them. */
#pragma once

#include <cstddef>

#ifndef __x86_64__
#include <ucontext.h>
#endif

namespace emulator {

class Fiber {
 public:
  /** The caller's own stack. */
  Fiber() = default;
  /** A stopped fiber that runs `entry`, which never returns, on the `size` bytes that end at `stackTop`. */
  void prepare(char* stackTop, size_t size, void (*entry)());
  /** Stops `from`, the fiber that runs, and goes on with `to`. Returns when somebody switches to `from`. */
  static void swap(Fiber& from, Fiber& to);

 private:
#ifdef __x86_64__
  void* stackPointer = nullptr;
#else
  ucontext_t context;
#endif
};

}  // namespace emulator
