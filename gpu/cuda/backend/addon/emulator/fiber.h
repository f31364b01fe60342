/** Separate stacks for the threads of a block, and switching between them. */
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
  /** Prepares a suspended fiber that runs `entry`, which never returns, on the `size` bytes that end at `stackTop`. */
  void prepare(char* stackTop, size_t size, void (*entry)());
  /** Suspends `from`, the running fiber, and resumes `to`. Returns when `from` is resumed. */
  static void swap(Fiber& from, Fiber& to);

 private:
#ifdef __x86_64__
  void* stackPointer = nullptr;
#else
  ucontext_t context;
#endif
};

}  // namespace emulator
