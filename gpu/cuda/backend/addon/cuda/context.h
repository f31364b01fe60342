/** Shared by the parts of a CUDA device: the driver, its context, the stream, and the error that ended it. */
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "../driver.h"
#include "driver_api.h"

namespace grootvl {

class Context {
 public:
  /** Retains the primary context of a device, which libraries such as cuBLAS use as well. @throws {OpenError} */
  explicit Context(int ordinal);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /**
   * Makes the context current on the calling thread; must be called before anything else. Throws after an unrecoverable
   * error.
   */
  void enter() const;

  /**
   * Throws unless `result` is success. Errors of a kernel end the context: all later calls throw the same error,
   * whatever the driver returns then.
   * @param what the call, for the message
   */
  void check(CUresult result, const char* what) const;

  const DriverApi& api;
  CUdevice device = 0;
  CUstream stream = nullptr;
  /** For messages, because errors of kernels are reported later. */
  std::atomic<const std::string*> lastKernel = nullptr;

 private:
  CUcontext context_ = nullptr;
  mutable std::mutex mutex_;
  mutable std::string failure_;
};

}  // namespace grootvl
