#include "fiber.h"

#include <cstdint>

namespace emulator {

#ifdef __x86_64__

// Saves the registers that a called function must preserve, by the System V ABI, and the stack pointer: this takes
// nanoseconds, whereas swapcontext makes a system call. Kernels do not change the floating point modes.
extern "C" void grootvl_swap(void** from, void* to) __attribute__((visibility("hidden")));
asm(R"(
  .text
  .hidden grootvl_swap
  .globl grootvl_swap
  .type grootvl_swap, @function
grootvl_swap:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size grootvl_swap, .-grootvl_swap
)");

constexpr int kSavedRegisters = 6;

void Fiber::prepare(char* stackTop, size_t, void (*entry)()) {
  auto top = reinterpret_cast<uintptr_t>(stackTop) & ~uintptr_t{15};
  auto* words = reinterpret_cast<uintptr_t*>(top);
  *--words = 0;  // the return address of `entry`: none, plus the alignment that a called function expects
  *--words = reinterpret_cast<uintptr_t>(entry);
  for (int i = 0; i < kSavedRegisters; ++i) *--words = 0;
  stackPointer = words;
}

void Fiber::swap(Fiber& from, Fiber& to) { grootvl_swap(&from.stackPointer, to.stackPointer); }

#else

void Fiber::prepare(char* stackTop, size_t size, void (*entry)()) {
  getcontext(&context);
  context.uc_stack.ss_sp = stackTop - size;
  context.uc_stack.ss_size = size;
  context.uc_link = nullptr;
  makecontext(&context, entry, 0);
}

void Fiber::swap(Fiber& from, Fiber& to) { swapcontext(&from.context, &to.context); }

#endif

}  // namespace emulator
