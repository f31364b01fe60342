/**
 * The narrow driver interface in C++: the declarations of gpu/cuda/driver.ts, without JavaScript. Implemented by
 * cuda/cuda_driver.cc and by emulator/emulated_driver.cc; binding.cc exposes either to Node.
 */
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace grootvl {

using Address = uint64_t;

/** An error with the `code` that driver.ts calls DriverErrorCode. */
class OpenError : public std::runtime_error {
 public:
  OpenError(const char* code, const std::string& message) : std::runtime_error(message), code(code) {}
  const std::string code;
};

struct DeviceDescription {
  std::string kind;
  std::string name;
  std::string computeCapability;
  std::string driverVersion;
  int multiprocessors = 1;
  size_t sharedBytesPerBlock = 0;
  size_t totalBytes = 0;
  /** Whether every access of a kernel is checked to lie in allocated memory, to the byte. */
  bool checksAccesses = false;
};

struct LaunchShape {
  uint32_t blocks[3];
  uint32_t threads[2];
  uint32_t sharedBytes;
};

/** Row-major products, see MatrixProduct in driver.ts. */
struct MatrixProduct {
  int m, n, k;
  bool transposeA, transposeB;
  Address a, b, c;
  int batches;
  int64_t strideA, strideB, strideC;
  bool allowTf32;
};

/** A requested copy to the host. Destroyed on the thread that requested it. */
class Download {
 public:
  virtual ~Download() = default;
  /** Returns when the bytes are available; may be called on any thread. */
  virtual void wait() = 0;
  /** After `wait`. */
  virtual const void* bytes() const = 0;
};

/** An open device. Unless stated otherwise, called by one thread only. Failures are thrown. */
class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceDescription& description() const = 0;
  virtual uint32_t findKernel(const std::string& name) = 0;
  virtual void launch(uint32_t kernel, const LaunchShape& shape, const void* arguments, size_t argumentSize) = 0;
  /** @returns 0 if there is too little memory */
  virtual Address allocate(size_t bytes) = 0;
  virtual void free(Address address) = 0;
  virtual void upload(Address address, const void* source, size_t bytes) = 0;
  virtual std::unique_ptr<Download> download(Address address, size_t bytes) = 0;
  virtual void copy(Address to, Address from, size_t bytes) = 0;
  virtual void fill(Address address, uint32_t pattern, size_t count) = 0;
  virtual void synchronize() = 0;
  virtual uint32_t recordEvent() = 0;
  /** @returns a function that returns the milliseconds; to be called once, on any thread */
  virtual std::function<double()> elapsed(uint32_t start, uint32_t end) = 0;
  virtual bool hasMatrixLibrary() = 0;
  virtual void multiply(const MatrixProduct& product) = 0;
  virtual size_t freeBytes() = 0;
};

/** @throws {OpenError} */
std::unique_ptr<Device> openDevice(int ordinal);

/** Limits of a launch on every device since compute capability 7.5; throws if they are exceeded. */
struct KernelLimits {
  std::string name;
  uint32_t maxThreads;
  size_t sharedBytes;
  /** The end of the last parameter, or 0 if unknown. */
  size_t argumentSize;
};
void checkLaunch(const KernelLimits& kernel, const LaunchShape& shape, size_t argumentSize);

}  // namespace grootvl
