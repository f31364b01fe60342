#include "context.h"

namespace grootvl {
namespace {

constexpr int kOldestCapability = 75;

/** Errors after which the driver rejects every call until the process ends. */
bool endsContext(CUresult result) {
  switch (result) {
    case CUDA_ERROR_DEINITIALIZED:
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_NVLINK_UNCORRECTABLE:
    case CUDA_ERROR_CONTAINED:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_CONTEXT_IS_DESTROYED:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_TENSOR_MEMORY_LEAK:
    case CUDA_ERROR_MPS_CLIENT_TERMINATED:
    case CUDA_ERROR_EXTERNAL_DEVICE:
    case CUDA_ERROR_UNKNOWN: return true;
    default: return false;
  }
}

}  // namespace

Context::Context(int ordinal) : api(driverApi()) {
  const auto open = [this](CUresult result, const char* what) {
    if (result != CUDA_SUCCESS) throw OpenError("DRIVER_FAILED", std::string(what) + ": " + describeError(api, result));
  };
  int count = 0;
  open(api.cuDeviceGetCount(&count), "cuDeviceGetCount");
  if (ordinal < 0 || ordinal >= count) {
    throw OpenError("NO_DEVICE", "there is no GPU " + std::to_string(ordinal) + "; there are " + std::to_string(count) +
                                     ", counted from 0");
  }
  open(api.cuDeviceGet(&device, ordinal), "cuDeviceGet");
  int major = 0;
  int minor = 0;
  open(api.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device), "cuDeviceGetAttribute");
  open(api.cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device), "cuDeviceGetAttribute");
  if (10 * major + minor < kOldestCapability) {
    throw OpenError("OLD_DEVICE", "GPU " + std::to_string(ordinal) + " has compute capability " +
                                      std::to_string(major) + "." + std::to_string(minor) + "; 7.5 or later is needed");
  }
  open(api.cuDevicePrimaryCtxRetain(&context_, device), "cuDevicePrimaryCtxRetain");
  try {
    open(api.cuCtxSetCurrent(context_), "cuCtxSetCurrent");
    open(api.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
  } catch (...) {
    api.cuDevicePrimaryCtxRelease_v2(device);
    throw;
  }
}

Context::~Context() {
  api.cuStreamDestroy_v2(stream);
  api.cuDevicePrimaryCtxRelease_v2(device);
}

void Context::enter() const {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (!failure_.empty()) throw std::runtime_error(failure_);
  }
  check(api.cuCtxSetCurrent(context_), "cuCtxSetCurrent");
}

void Context::check(CUresult result, const char* what) const {
  if (result == CUDA_SUCCESS) return;
  const std::string message = std::string(what) + ": " + describeError(api, result);
  if (!endsContext(result)) throw std::runtime_error(message);
  const std::lock_guard<std::mutex> guard(mutex_);
  if (failure_.empty()) {
    failure_ = "the GPU stopped working for this process; " + message;
    const std::string* kernel = lastKernel.load(std::memory_order_relaxed);
    if (kernel) failure_ += "; the last kernel started was " + *kernel;
  }
  throw std::runtime_error(failure_);
}

}  // namespace grootvl
