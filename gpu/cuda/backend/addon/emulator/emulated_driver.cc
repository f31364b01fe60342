/**
 * The driver interface on the host: memory is the host's, kernels run immediately. Not meant for computation: it allows
 * every kernel to be tested, strictly, on a machine without a GPU.
 */
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "races.h"
#include "runtime.h"

namespace grootvl {
namespace {

/** As for compute capability 9.0. */
constexpr size_t kSharedBytesPerBlock = 232448;
constexpr size_t kDefaultTotalBytes = size_t{8} << 30;
constexpr size_t kAlignment = 256;
/** Bytes before and after each allocation that must not change. */
constexpr size_t kGuardBytes = 64;
constexpr unsigned char kGuard = 0xa5;
/** Contents of fresh memory: -2.7e7 as a float, so that no kernel relies on zeros. */
constexpr unsigned char kGarbage = 0xcb;

using Clock = std::chrono::steady_clock;

size_t totalBytes() {
  const char* text = std::getenv("GROOTVL_EMULATION_BYTES");
  if (!text) return kDefaultTotalBytes;
  char* end = nullptr;
  const unsigned long long bytes = std::strtoull(text, &end, 10);
  if (end == text || *end != '\0') {
    throw std::runtime_error(std::string("GROOTVL_EMULATION_BYTES is ") + text + "; it has to be a number");
  }
  return bytes;
}

uint8_t* pointer(Address address) { return reinterpret_cast<uint8_t*>(address); }

class EmulatedDownload : public Download {
 public:
  EmulatedDownload(const uint8_t* from, size_t bytes) : copy_(from, from + bytes) {}
  void wait() override {}
  const void* bytes() const override { return copy_.data(); }

 private:
  const std::vector<uint8_t> copy_;
};

class EmulatedDevice : public Device {
 public:
  EmulatedDevice() : order_(emulator::Order::parse(std::getenv("GROOTVL_EMULATION_ORDER"))) {
    description_.kind = "host emulation";
    description_.name = emulator::races::kChecked ? "host emulation, races checked" : "host emulation";
    description_.sharedBytesPerBlock = kSharedBytesPerBlock;
    description_.totalBytes = totalBytes();
    description_.checksAccesses = emulator::races::kChecked;
    for (const emulator::Kernel& kernel : emulator::kernels()) {
      limits_.push_back({kernel.name, kernel.maxThreads, kSharedBytesPerBlock, kernel.argumentSize});
    }
  }

  ~EmulatedDevice() override {
    for (const auto& [address, bytes] : allocations_) std::free(pointer(address) - kAlignment);
  }

  const DeviceDescription& description() const override { return description_; }

  uint32_t findKernel(const std::string& name) override {
    for (size_t i = 0; i < limits_.size(); ++i) {
      if (limits_[i].name == name) return static_cast<uint32_t>(i);
    }
    throw std::runtime_error("there is no kernel " + name);
  }

  void launch(uint32_t kernel, const LaunchShape& shape, const void* arguments, size_t argumentSize) override {
    checkLaunch(limits_.at(kernel), shape, argumentSize);
    emulator::races::setAllocations(&allocations_);
    emulator::run(emulator::kernels()[kernel], shape, static_cast<const uint8_t*>(arguments), order_);
  }

  Address allocate(size_t bytes) override {
    if (bytes > freeBytes()) return 0;
    // The front guard is the end of the alignment padding.
    const size_t size = (kAlignment + bytes + kGuardBytes + kAlignment - 1) / kAlignment * kAlignment;
    auto* memory = static_cast<uint8_t*>(std::aligned_alloc(kAlignment, size));
    if (!memory) return 0;
    uint8_t* start = memory + kAlignment;
    std::memset(start - kGuardBytes, kGuard, kGuardBytes);
    std::memset(start, kGarbage, bytes);
    std::memset(start + bytes, kGuard, kGuardBytes);
    allocations_.emplace(reinterpret_cast<Address>(start), bytes);
    usedBytes_ += bytes;
    return reinterpret_cast<Address>(start);
  }

  void free(Address address) override {
    const auto found = allocations_.find(address);
    if (found == allocations_.end()) throw std::runtime_error("free: there is no memory at this address");
    const auto [start, bytes] = *found;
    allocations_.erase(found);
    usedBytes_ -= bytes;
    const bool intact = isIntact(start, bytes);
    std::free(pointer(start) - kAlignment);
    if (!intact) throwDamaged(bytes);
  }

  void upload(Address address, const void* source, size_t bytes) override {
    std::memcpy(range("upload", address, bytes), source, bytes);
  }

  std::unique_ptr<Download> download(Address address, size_t bytes) override {
    const uint8_t* from = range("download", address, bytes);
    synchronize();
    return std::make_unique<EmulatedDownload>(from, bytes);
  }

  void copy(Address to, Address from, size_t bytes) override {
    const uint8_t* source = range("copy", from, bytes);
    std::memmove(range("copy", to, bytes), source, bytes);
  }

  void fill(Address address, uint32_t pattern, size_t count) override {
    auto* words = reinterpret_cast<uint32_t*>(range("fill", address, 4 * count));
    std::fill(words, words + count, pattern);
  }

  /** There is nothing to wait for: checks whether a kernel wrote out of bounds. */
  void synchronize() override {
    for (const auto& [address, bytes] : allocations_) {
      if (!isIntact(address, bytes)) throwDamaged(bytes);
    }
  }

  uint32_t recordEvent() override {
    events_.emplace(nextEvent_, Clock::now());
    return nextEvent_++;
  }

  std::function<double()> elapsed(uint32_t start, uint32_t end) override {
    const std::chrono::duration<double, std::milli> time = events_.at(end) - events_.at(start);
    events_.erase(start);
    events_.erase(end);
    return [time] { return time.count(); };
  }

  bool hasMatrixLibrary() override { return false; }

  void multiply(const MatrixProduct&) override { throw std::runtime_error("the host emulation has no matrix library"); }

  size_t freeBytes() override { return description_.totalBytes - usedBytes_; }

 private:
  static bool isIntact(Address address, size_t bytes) {
    static const std::vector<uint8_t> guard(kGuardBytes, kGuard);
    const auto intact = [](const uint8_t* found) { return std::memcmp(found, guard.data(), kGuardBytes) == 0; };
    return intact(pointer(address) - kGuardBytes) && intact(pointer(address) + bytes);
  }

  [[noreturn]] static void throwDamaged(size_t bytes) {
    throw std::runtime_error("something was written before or behind an allocation of " + std::to_string(bytes) +
                             " bytes");
  }

  /** The memory at `address`, which must lie in one allocation. */
  uint8_t* range(const char* what, Address address, size_t bytes) const {
    auto after = allocations_.upper_bound(address);
    if (after != allocations_.begin()) {
      const auto [start, size] = *--after;
      const Address offset = address - start;
      if (offset <= size && bytes <= size - offset) return pointer(address);
    }
    throw std::runtime_error(std::string(what) + ": " + std::to_string(bytes) +
                             " bytes that do not lie in one allocation");
  }

  DeviceDescription description_;
  std::vector<KernelLimits> limits_;
  emulator::Order order_;
  /** Sizes by address. */
  std::map<Address, size_t> allocations_;
  size_t usedBytes_ = 0;
  std::map<uint32_t, Clock::time_point> events_;
  uint32_t nextEvent_ = 1;
};

}  // namespace

std::unique_ptr<Device> openDevice(int ordinal) {
  if (ordinal != 0) {
    throw OpenError("NO_DEVICE", "there is no device " + std::to_string(ordinal) + "; the host emulation is device 0");
  }
  return std::make_unique<EmulatedDevice>();
}

}  // namespace grootvl
