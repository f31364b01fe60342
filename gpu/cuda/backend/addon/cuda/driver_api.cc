#include "driver_api.h"

#include "../driver.h"

namespace grootvl {
namespace {

constexpr const char* kLibrary = "libcuda.so.1";
constexpr int kOldestVersion = 12000;

DriverApi load() {
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    throw OpenError("NO_DRIVER", std::string(kLibrary) + ", the NVIDIA driver, could not be opened: " + dlerror());
  }
  DriverApi api = {};
  const char* missing = nullptr;
#define FIND(name) \
  if (!find(library, #name, api.name)) missing = #name;
  GROOTVL_DRIVER_FUNCTIONS(FIND)
#undef FIND
  find(library, "cuFuncGetParamInfo", api.cuFuncGetParamInfo);
  if (missing)
    throw OpenError("OLD_DRIVER", std::string(kLibrary) + " has no " + missing + "; CUDA 12 or later is needed");

  int version = 0;
  if (api.cuDriverGetVersion(&version) == CUDA_SUCCESS && version < kOldestVersion) {
    throw OpenError("OLD_DRIVER",
                    "the NVIDIA driver supports CUDA " + versionText(version) + "; CUDA 12 or later is needed");
  }
  const CUresult started = api.cuInit(0);
  if (started == CUDA_ERROR_NO_DEVICE) throw OpenError("NO_DEVICE", "the NVIDIA driver finds no GPU");
  if (started != CUDA_SUCCESS) throw OpenError("DRIVER_FAILED", "cuInit: " + describeError(api, started));
  return api;
}

}  // namespace

const DriverApi& driverApi() {
  // A failure is thrown, and the next call tries again, because a driver may have been installed in the meantime.
  static const DriverApi api = load();
  return api;
}

std::string versionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string describeError(const DriverApi& api, CUresult result) {
  const char* name = nullptr;
  const char* text = nullptr;
  api.cuGetErrorName(result, &name);
  api.cuGetErrorString(result, &text);
  if (!name || !text) return "CUDA error " + std::to_string(result);
  return std::string(name) + ", " + text;
}

}  // namespace grootvl
