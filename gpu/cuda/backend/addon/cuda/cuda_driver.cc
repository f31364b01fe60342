/** The driver interface on a GPU, with the CUDA driver API. */
#include <deque>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../driver.h"
#include "context.h"
#include "fatbins.h"
#include "matrix_library.h"
#include "staging.h"

namespace grootvl {
namespace {

/** More dynamic shared memory than this must be requested for each kernel. */
constexpr int kSharedBytesWithoutAsking = 48 << 10;

/** A driver's errors for code of a later toolkit: for machine code, for its compression, or for PTX. */
bool isUnknownCode(CUresult result) {
  return result == CUDA_ERROR_INVALID_IMAGE || result == CUDA_ERROR_NO_BINARY_FOR_GPU ||
         result == CUDA_ERROR_INVALID_PTX || result == CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
}

class CudaDownload : public Download {
 public:
  CudaDownload(const Context& context, Staging& staging, Address from, size_t bytes)
      : context_(context), staging_(staging), buffer_(staging.take(bytes)) {
    try {
      const DriverApi& api = context.api;
      context.check(api.cuMemcpyDtoHAsync_v2(buffer_.memory, from, bytes, context.stream), "download");
      context.check(api.cuEventRecord(buffer_.event, context.stream), "download");
    } catch (...) {
      staging.give(buffer_);
      throw;
    }
  }
  ~CudaDownload() override {
    // A program may end before it has waited. After a failure this returns immediately, with the error.
    if (!done_) context_.api.cuEventSynchronize(buffer_.event);
    staging_.give(buffer_);
  }

  void wait() override {
    context_.enter();
    context_.check(context_.api.cuEventSynchronize(buffer_.event), "download");
    done_ = true;
  }
  const void* bytes() const override { return buffer_.memory; }

 private:
  const Context& context_;
  Staging& staging_;
  const Staging::Buffer buffer_;
  bool done_ = false;
};

class CudaDevice : public Device {
 public:
  explicit CudaDevice(int ordinal) : context_(ordinal), api_(context_.api), staging_(context_), matrices_(context_) {
    describe();
    try {
      loadModules();
    } catch (...) {
      unloadModules();
      throw;
    }
  }

  ~CudaDevice() override {
    // Errors are ignored here; after a failed kernel every call returns one.
    try {
      context_.enter();
    } catch (const std::exception&) {
    }
    api_.cuStreamSynchronize(context_.stream);
    for (const auto& [number, event] : events_) api_.cuEventDestroy_v2(event);
    for (const Address address : allocations_) api_.cuMemFree_v2(address);
    unloadModules();
  }

  const DeviceDescription& description() const override { return description_; }

  uint32_t findKernel(const std::string& name) override {
    const auto known = kernelsByName_.find(name);
    if (known != kernelsByName_.end()) return known->second;
    context_.enter();
    for (CUmodule module : modules_) {
      CUfunction function = nullptr;
      const CUresult result = api_.cuModuleGetFunction(&function, module, name.c_str());
      if (result == CUDA_ERROR_NOT_FOUND) continue;
      context_.check(result, name.c_str());
      const auto number = static_cast<uint32_t>(kernels_.size());
      kernels_.push_back(makeKernel(name, function));
      kernelsByName_.emplace(name, number);
      return number;
    }
    throw std::runtime_error("there is no kernel " + name);
  }

  void launch(uint32_t number, const LaunchShape& shape, const void* arguments, size_t argumentSize) override {
    Kernel& kernel = kernels_.at(number);
    checkLaunch(kernel.limits, shape, argumentSize);
    context_.enter();
    const auto sharedBytes = static_cast<int>(shape.sharedBytes);
    if (sharedBytes > kernel.sharedBytesAllowed) {
      // Requests the maximum once, because kernels need different amounts from launch to launch.
      const auto most = static_cast<int>(kernel.limits.sharedBytes);
      context_.check(api_.cuFuncSetAttribute(kernel.function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, most),
                     "cuFuncSetAttribute");
      kernel.sharedBytesAllowed = most;
    }
    void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, const_cast<void*>(arguments), CU_LAUNCH_PARAM_BUFFER_SIZE,
                     &argumentSize, CU_LAUNCH_PARAM_END};
    const CUresult result =
        api_.cuLaunchKernel(kernel.function, shape.blocks[0], shape.blocks[1], shape.blocks[2], shape.threads[0],
                            shape.threads[1], 1, shape.sharedBytes, context_.stream, nullptr, extra);
    if (result != CUDA_SUCCESS) context_.check(result, kernel.limits.name.c_str());
    context_.lastKernel.store(&kernel.limits.name, std::memory_order_relaxed);
  }

  Address allocate(size_t bytes) override {
    context_.enter();
    CUdeviceptr address = 0;
    const CUresult result = api_.cuMemAlloc_v2(&address, bytes);
    if (result == CUDA_ERROR_OUT_OF_MEMORY) return 0;
    context_.check(result, "cuMemAlloc");
    allocations_.insert(address);
    return address;
  }

  void free(Address address) override {
    if (allocations_.erase(address) == 0) throw std::runtime_error("free: there is no memory at this address");
    synchronize();
    context_.check(api_.cuMemFree_v2(address), "cuMemFree");
  }

  void upload(Address address, const void* source, size_t bytes) override {
    context_.enter();
    staging_.upload(address, static_cast<const uint8_t*>(source), bytes);
  }

  std::unique_ptr<Download> download(Address address, size_t bytes) override {
    context_.enter();
    return std::make_unique<CudaDownload>(context_, staging_, address, bytes);
  }

  void copy(Address to, Address from, size_t bytes) override {
    context_.enter();
    context_.check(api_.cuMemcpyDtoDAsync_v2(to, from, bytes, context_.stream), "copy");
  }

  void fill(Address address, uint32_t pattern, size_t count) override {
    context_.enter();
    context_.check(api_.cuMemsetD32Async(address, pattern, count, context_.stream), "fill");
  }

  void synchronize() override {
    context_.enter();
    context_.check(api_.cuStreamSynchronize(context_.stream), "synchronize");
  }

  uint32_t recordEvent() override {
    context_.enter();
    CUevent event = nullptr;
    context_.check(api_.cuEventCreate(&event, CU_EVENT_BLOCKING_SYNC), "cuEventCreate");
    events_.emplace(nextEvent_, event);
    context_.check(api_.cuEventRecord(event, context_.stream), "cuEventRecord");
    return nextEvent_++;
  }

  std::function<double()> elapsed(uint32_t start, uint32_t end) override {
    if (start == end || events_.count(start) == 0 || events_.count(end) == 0) {
      throw std::runtime_error("elapsed: expected two events that were recorded and not yet used");
    }
    CUevent first = events_[start];
    CUevent last = events_[end];
    events_.erase(start);
    events_.erase(end);
    return [this, first, last] {
      context_.enter();
      context_.check(api_.cuEventSynchronize(last), "elapsed");
      float milliseconds = 0;
      context_.check(api_.cuEventElapsedTime(&milliseconds, first, last), "elapsed");
      api_.cuEventDestroy_v2(first);
      api_.cuEventDestroy_v2(last);
      return double{milliseconds};
    };
  }

  bool hasMatrixLibrary() override {
    context_.enter();
    return matrices_.isThere();
  }

  void multiply(const MatrixProduct& product) override {
    context_.enter();
    matrices_.multiply(product);
  }

  size_t freeBytes() override {
    context_.enter();
    size_t free = 0;
    size_t total = 0;
    context_.check(api_.cuMemGetInfo_v2(&free, &total), "cuMemGetInfo");
    return free;
  }

 private:
  struct Kernel {
    CUfunction function;
    KernelLimits limits;
    /** Dynamic shared memory allowed so far. */
    int sharedBytesAllowed;
  };

  int attribute(int which) const {
    int value = 0;
    context_.check(api_.cuDeviceGetAttribute(&value, which, context_.device), "cuDeviceGetAttribute");
    return value;
  }

  void describe() {
    char name[256] = "";
    context_.check(api_.cuDeviceGetName(name, sizeof name, context_.device), "cuDeviceGetName");
    context_.check(api_.cuDriverGetVersion(&driverVersion_), "cuDriverGetVersion");
    description_.kind = "cuda";
    description_.name = name;
    description_.computeCapability = std::to_string(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)) + "." +
                                     std::to_string(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
    description_.driverVersion = versionText(driverVersion_);
    description_.multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    description_.sharedBytesPerBlock =
        static_cast<size_t>(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
    context_.check(api_.cuDeviceTotalMem_v2(&description_.totalBytes, context_.device), "cuDeviceTotalMem");
  }

  void loadModules() {
    for (const Fatbin& fatbin : fatbins()) {
      CUmodule module = nullptr;
      const CUresult result = api_.cuModuleLoadData(&module, fatbin.image);
      if (result != CUDA_SUCCESS) {
        const bool isOld = driverVersion_ < GROOTVL_TOOLKIT_VERSION && isUnknownCode(result);
        const std::string toolkit = versionText(GROOTVL_TOOLKIT_VERSION);
        throw OpenError(
            isOld ? "OLD_DRIVER" : "DRIVER_FAILED",
            std::string("the kernels of ") + fatbin.name + ".cu, compiled by CUDA " + toolkit +
                ", could not be loaded on " + description_.name + " (compute capability " +
                description_.computeCapability + ") by a driver for CUDA " + description_.driverVersion + ": " +
                describeError(api_, result) +
                (isOld ? "; a driver for CUDA " + toolkit + " or later is needed, or a build by an older toolkit"
                       : ""));
      }
      modules_.push_back(module);
    }
  }

  void unloadModules() {
    for (CUmodule module : modules_) api_.cuModuleUnload(module);
  }

  Kernel makeKernel(const std::string& name, CUfunction function) const {
    int threads = 0;
    int sharedBytes = 0;
    context_.check(api_.cuFuncGetAttribute(&threads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function), name.c_str());
    context_.check(api_.cuFuncGetAttribute(&sharedBytes, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function), name.c_str());
    size_t argumentSize = 0;
    if (api_.cuFuncGetParamInfo) {
      size_t offset = 0;
      size_t size = 0;
      for (size_t i = 0; api_.cuFuncGetParamInfo(function, i, &offset, &size) == CUDA_SUCCESS; ++i) {
        argumentSize = offset + size;
      }
    }
    // Static and dynamic shared memory share one limit.
    return {function,
            {name, static_cast<uint32_t>(threads), description_.sharedBytesPerBlock - static_cast<size_t>(sharedBytes),
             argumentSize},
            kSharedBytesWithoutAsking - sharedBytes};
  }

  Context context_;
  const DriverApi& api_;
  Staging staging_;
  MatrixLibrary matrices_;
  DeviceDescription description_;
  int driverVersion_ = 0;
  std::vector<CUmodule> modules_;
  /** By number; a deque, because `lastKernel` points into it. */
  std::deque<Kernel> kernels_;
  std::unordered_map<std::string, uint32_t> kernelsByName_;
  std::unordered_set<Address> allocations_;
  std::map<uint32_t, CUevent> events_;
  uint32_t nextEvent_ = 1;
};

}  // namespace

std::unique_ptr<Device> openDevice(int ordinal) { return std::make_unique<CudaDevice>(ordinal); }

}  // namespace grootvl
