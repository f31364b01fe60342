/**
 * Runs the threads of a block as fibers. A thread starts on any free fiber, and most end without reaching a barrier, so
 * that the next one starts on the same stack: without barriers a thread costs a call. Only threads that wait keep a
 * stack.
 */
#include "emulator.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <numeric>

#include "fiber.h"
#include "races.h"
#include "runtime.h"

HIDDEN uint3 threadIdx;
HIDDEN uint3 blockIdx;
HIDDEN dim3 blockDim;
HIDDEN dim3 gridDim;

// The linker's symbols for the ends of the section of __shared__ variables, which is absent without such variables.
extern "C" HIDDEN __attribute__((weak)) unsigned char __start_grootvl_shared[];
extern "C" HIDDEN __attribute__((weak)) unsigned char __stop_grootvl_shared[];

namespace emulator {

HIDDEN unsigned char* dynamicShared = nullptr;

namespace {

constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kLanes = 32;
constexpr size_t kPage = 4096;
/** More than enough for a kernel: on a device a thread has a few hundred bytes before its registers spill. */
constexpr size_t kStackPages = 32;
/** With one guard page. An odd number, otherwise all stacks would share a few cache sets. */
constexpr size_t kStridePages = kStackPages + 1;
constexpr unsigned char kGarbage = 0xcb;
constexpr unsigned char kGuard = 0xa5;
constexpr size_t kGuardBytes = 64;

struct Thread {
  enum State : uint8_t { kUnstarted, kStarted, kEnded } state;
  /** The barrier at which it waits, if any. */
  Barrier barrier;
  /** Its position in the order of the block. */
  uint16_t turn;
  uint16_t index;
  uint3 position;
  Fiber* fiber;
  // The values that it passes to a barrier of its warp, and receives from it.
  unsigned mask;
  int source;
  uint64_t value;
  uint64_t result;
};

/** The running block. There is only one at a time: see `run`. */
struct Block {
  const Kernel* kernel;
  const uint8_t* arguments;
  unsigned size;
  unsigned ended;
  Thread threads[kMaxThreads];
  /** The threads by turn, and those that can run. */
  Thread* order[kMaxThreads];
  uint64_t ready[kMaxThreads / 64];
  Thread* current;
  // For each kind of barrier of the block: how many threads wait at it, and how many of them have a true predicate.
  unsigned waiting[4];
  int predicates[4];
  int result;
  /** For each warp: the lanes that wait for others of the warp. */
  unsigned waitingLanes[kMaxThreads / kLanes];
  std::string failure;
};

Block block;
std::mutex running;

// Fibers: created on demand, because a touched stack uses memory. There is one more than threads: a thread that has
// ended still holds its own while the next one is chosen.

Fiber scheduler;
Fiber fibers[kMaxThreads + 1];
unsigned fibersMade = 0;
std::vector<Fiber*> freeFibers;

void runThreads();

Fiber* takeFiber() {
  if (!freeFibers.empty()) {
    Fiber* fiber = freeFibers.back();
    freeFibers.pop_back();
    return fiber;
  }
  static char* const stacks = [] {
    constexpr size_t bytes = (kMaxThreads + 1) * kStridePages * kPage;
    void* region = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) std::abort();
    for (unsigned i = 0; i <= kMaxThreads; ++i) {
      mprotect(static_cast<char*>(region) + i * kStridePages * kPage, kPage, PROT_NONE);
    }
    races::setStacks({static_cast<unsigned char*>(region), bytes});
    return static_cast<char*>(region);
  }();
  const unsigned i = fibersMade++;
  // Stack tops at different cache lines of a page, otherwise all would share a few sets of the first-level cache.
  char* top = stacks + (i + 1) * kStridePages * kPage - i % 16 * 192;
  fibers[i].prepare(top, kStackPages * kPage / 2, runThreads);
  return &fibers[i];
}

/** After a failure, threads are suspended in the middle of kernels: their stacks are reset. */
void forgetFibers() {
  freeFibers.clear();
  fibersMade = 0;
}

// Turns.

void makeReady(const Thread& thread) { block.ready[thread.turn / 64] |= 1ull << (thread.turn % 64); }

void makeAllReady() {
  for (unsigned i = 0; i < block.size / 64; ++i) block.ready[i] = ~0ull;
  if (block.size % 64 != 0) block.ready[block.size / 64] = (1ull << (block.size % 64)) - 1;
}

/** Makes the next runnable thread after turn `from` the current one. @returns whether there is any */
bool pick(unsigned from) {
  const unsigned words = (block.size + 63) / 64;
  unsigned word = from / 64;
  uint64_t bits = block.ready[word] & (~0ull << (from % 64));
  // Then the following words, and finally the first one again from its start.
  for (unsigned step = 0; bits == 0; ++step) {
    if (step == words) return false;
    word = word + 1 == words ? 0 : word + 1;
    bits = block.ready[word];
  }
  const auto bit = static_cast<unsigned>(__builtin_ctzll(bits));
  block.ready[word] &= ~(1ull << bit);
  block.current = block.order[word * 64 + bit];
  threadIdx = block.current->position;
  return true;
}

/** Switches from a fiber to the current thread, which may be a new one, or to the scheduler. */
void leave(Fiber& fiber, bool more) {
  if (more && block.current->state == Thread::kUnstarted) block.current->fiber = takeFiber();
  Fiber::swap(fiber, more ? *block.current->fiber : scheduler);
}

/** The main loop of every fiber: it runs threads, one after another, and restarts with a new thread. */
void runThreads() {
  for (;;) {
    Fiber& self = *block.current->fiber;
    block.current->state = Thread::kStarted;
    block.kernel->call(block.arguments);
    block.current->state = Thread::kEnded;
    ++block.ended;
    const bool more = pick(block.current->turn);
    if (more && block.current->state == Thread::kUnstarted) {
      block.current->fiber = &self;
      continue;
    }
    freeFibers.push_back(&self);
    leave(self, more);
  }
}

/** Lets others run until one of them has made this thread ready again. */
void wait(Thread& self) { leave(*self.fiber, pick(self.turn)); }

// The order of turns.

template <typename Element>
void arrange(std::vector<Element>& elements, Order& order) {
  if (order.kind == Order::kBackward) std::reverse(elements.begin(), elements.end());
  if (order.kind == Order::kShuffled) std::shuffle(elements.begin(), elements.end(), order.random);
}

void arrangeThreads(Order& order) {
  std::vector<Thread*> threads(block.size);
  for (unsigned i = 0; i < block.size; ++i) threads[i] = &block.threads[i];
  arrange(threads, order);
  for (unsigned turn = 0; turn < block.size; ++turn) {
    block.order[turn] = threads[turn];
    threads[turn]->turn = static_cast<uint16_t>(turn);
  }
}

// Failures.

std::string describeBlock() {
  return "kernel " + block.kernel->name + ", block (" + std::to_string(blockIdx.x) + ", " + std::to_string(blockIdx.y) +
         ", " + std::to_string(blockIdx.z) + "): ";
}

std::string describeThreads() {
  constexpr const char* names[] = {
      "__syncthreads", "__syncthreads_or", "__syncthreads_and", "__syncthreads_count", "__syncwarp", "a shuffle",
      "a vote"};
  unsigned counts[std::size(names)] = {};
  for (unsigned i = 0; i < block.size; ++i) {
    const Thread& thread = block.threads[i];
    if (thread.state == Thread::kStarted) ++counts[static_cast<int>(thread.barrier)];
  }
  std::string text;
  for (size_t i = 0; i < std::size(names); ++i) {
    if (counts[i] > 0) text += std::to_string(counts[i]) + " wait at " + names[i] + ", ";
  }
  return text + std::to_string(block.ended) + " have ended";
}

void runBlock() {
  block.ended = 0;
  for (unsigned i = 0; i < block.size; ++i) block.threads[i].state = Thread::kUnstarted;
  for (unsigned& waiting : block.waiting) waiting = 0;
  for (int& predicates : block.predicates) predicates = 0;
  for (unsigned i = 0; i * kLanes < block.size; ++i) block.waitingLanes[i] = 0;
  makeAllReady();
  leave(scheduler, pick(0));
  if (block.failure.empty() && block.ended < block.size) {
    block.failure =
        "barrier not reached by all threads that it is for: of " + std::to_string(block.size) + " " + describeThreads();
  }
  if (block.failure.empty()) return;
  forgetFibers();
  throw std::runtime_error(describeBlock() + block.failure);
}

std::vector<Kernel>& registered() {
  static std::vector<Kernel> list;
  return list;
}

}  // namespace

void fail(const std::string& what) {
  block.failure = what;
  Fiber::swap(*block.current->fiber, scheduler);
  std::abort();  // a failed block is never resumed
}

int waitForBlock(Barrier barrier, bool predicate) {
  Thread& self = *block.current;
  const int kind = static_cast<int>(barrier);
  self.barrier = barrier;
  block.predicates[kind] += predicate;
  if (++block.waiting[kind] < block.size) {
    wait(self);
    // It stays valid until all threads have reached the next barrier.
    return block.result;
  }
  races::passBarrier();
  block.result = block.predicates[kind];
  block.waiting[kind] = 0;
  block.predicates[kind] = 0;
  makeAllReady();
  block.ready[self.turn / 64] &= ~(1ull << (self.turn % 64));
  return block.result;
}

uint64_t waitForWarp(Barrier barrier, unsigned mask, uint64_t value, int source) {
  Thread& self = *block.current;
  Thread* const lanes = &block.threads[self.index & ~(kLanes - 1)];
  const auto lane = static_cast<unsigned>(&self - lanes);
  unsigned& waiting = block.waitingLanes[self.index / kLanes];
  // The last warp of a block may have fewer lanes.
  const unsigned present = std::min(kLanes, static_cast<unsigned>(block.threads + block.size - lanes));
  if (present < kLanes) mask &= (1u << present) - 1;
  if ((mask >> lane & 1) == 0) fail("lane " + std::to_string(lane) + " is not in the mask it waits with");

  self.barrier = barrier;
  self.mask = mask;
  self.value = value;
  self.source = source;
  waiting |= 1u << lane;
  bool complete = (waiting & mask) == mask;
  for (unsigned rest = mask; complete && rest != 0; rest &= rest - 1) {
    const Thread& other = lanes[__builtin_ctz(rest)];
    complete = other.barrier == barrier && other.mask == mask;
  }
  if (!complete) {
    wait(self);
    return self.result;
  }
  unsigned ballot = 0;
  for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
    const int i = __builtin_ctz(rest);
    if (lanes[i].value != 0) ballot |= 1u << i;
  }
  for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
    Thread& other = lanes[__builtin_ctz(rest)];
    const bool takesPart = (mask >> (other.source & (kLanes - 1)) & 1) != 0;
    other.result = barrier == Barrier::kBallot ? ballot : takesPart ? lanes[other.source].value : 0xcbcbcbcbcbcbcbcb;
    if (&other != &self) makeReady(other);
  }
  waiting &= ~mask;
  return self.result;
}

int laneIndex() { return block.current->index % kLanes; }

void registerKernel(const char* name, int maxThreads, size_t argumentSize, void (*call)(const uint8_t*)) {
  registered().push_back({name, static_cast<uint32_t>(maxThreads), argumentSize, call});
}

const std::vector<Kernel>& kernels() { return registered(); }

Order Order::parse(const char* text) {
  const std::string given = text ? text : "forward";
  Order order;
  if (given == "forward") return order;
  const std::string name = given.substr(0, given.find(':'));
  order.kind = name == "backward" ? kBackward : kShuffled;
  const std::string seed = name.size() < given.size() ? given.substr(name.size() + 1) : "1";
  const bool isNumber = !seed.empty() && seed.find_first_not_of("0123456789") == std::string::npos;
  if (given != "backward" && (name != "shuffled" || !isNumber || seed.size() > 9)) {
    throw std::runtime_error("GROOTVL_EMULATION_ORDER is " + given +
                             "; it can be forward, backward, shuffled or shuffled:<seed>");
  }
  order.random.seed(static_cast<uint32_t>(std::stoul(seed)));
  return order;
}

void run(const Kernel& kernel, const grootvl::LaunchShape& shape, const uint8_t* arguments, Order& order) {
  const std::lock_guard<std::mutex> guard(running);
  block.kernel = &kernel;
  block.arguments = arguments;
  block.size = shape.threads[0] * shape.threads[1];
  block.failure.clear();
  gridDim = dim3(shape.blocks[0], shape.blocks[1], shape.blocks[2]);
  blockDim = dim3(shape.threads[0], shape.threads[1]);
  for (unsigned i = 0; i < block.size; ++i) {
    block.threads[i].index = static_cast<uint16_t>(i);
    block.threads[i].position = {i % blockDim.x, i / blockDim.x, 0};
  }
  arrangeThreads(order);

  // No kernel may rely on zeros in shared memory.
  const auto fixedBytes = static_cast<size_t>(__stop_grootvl_shared - __start_grootvl_shared);
  std::memset(__start_grootvl_shared, kGarbage, fixedBytes);
  std::vector<unsigned char> shared(16 + shape.sharedBytes + kGuardBytes, kGuard);
  dynamicShared = shared.data() + (-reinterpret_cast<uintptr_t>(shared.data()) & 15);
  unsigned char* const sharedEnd = dynamicShared + shape.sharedBytes;
  races::begin({arguments, kernel.argumentSize}, {__start_grootvl_shared, fixedBytes},
               {dynamicShared, shape.sharedBytes});

  std::vector<uint32_t> blocks;
  const uint64_t count = uint64_t{gridDim.x} * gridDim.y * gridDim.z;
  if (order.kind != Order::kForward) {
    blocks.resize(count);
    std::iota(blocks.begin(), blocks.end(), 0);
    arrange(blocks, order);
  }
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t index = blocks.empty() ? i : blocks[i];
    blockIdx = {static_cast<unsigned>(index % gridDim.x), static_cast<unsigned>(index / gridDim.x % gridDim.y),
                static_cast<unsigned>(index / gridDim.x / gridDim.y)};
    if (order.kind == Order::kShuffled && i > 0) arrangeThreads(order);
    std::memset(dynamicShared, kGarbage, shape.sharedBytes);
    races::beginBlock();
    runBlock();
    if (std::any_of(sharedEnd, sharedEnd + kGuardBytes - 16, [](unsigned char byte) { return byte != kGuard; })) {
      throw std::runtime_error(describeBlock() + "it wrote beyond its " + std::to_string(shape.sharedBytes) +
                               " bytes of dynamic shared memory");
    }
  }
}

}  // namespace emulator
