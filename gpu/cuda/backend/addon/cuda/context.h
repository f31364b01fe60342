/** What the parts of a CUDA device share: the driver, its context, the stream, and the error that ended it. */
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "../driver.h"
#include "driver_api.h"

namespace grootvl {

class Context {
 public:
  /** Takes the primary context of a device, which libraries such as cuBLAS use as well. @throws {OpenError} */
  explicit Context(int ordinal);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /**
   * Makes the context that of the calling thread; to be called before anything else is. Throws once something has gone
   * wrong for good.
   */
  void enter() const;

  /**
   * Throws unless `result` is success. Errors of a kernel end the context: all that comes later throws the same,
   * whatever the driver says then.
   * @param what the call, for the message
   */
  void check(CUresult result, const char* what) const;

  const DriverApi& api;
  CUdevice device = 0;
  CUstream stream = nullptr;
  /** For messages: errors of kernels show themselves later. */
  std::atomic<const std::string*> lastKernel = nullptr;

 private:
  CUcontext context_ = nullptr;
  mutable std::mutex mutex_;
  mutable std::string failure_;
};

}  // namespace grootvl
