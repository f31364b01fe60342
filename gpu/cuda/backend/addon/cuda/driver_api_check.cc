/** Compares, at compile time, the types and numbers that driver_api.h declares with the toolkit's cuda.h. */
#include "driver_api.h"

#include <type_traits>

namespace grootvl {
namespace {

// Aliases of our types that the versioning macros of cuda.h do not change.
#define OURS(name) using our_##name = decltype(DriverApi::name);
GROOTVL_DRIVER_FUNCTIONS(OURS)
OURS(cuFuncGetParamInfo)
#undef OURS

}  // namespace
}  // namespace grootvl

#include <cuda.h>

namespace grootvl {
namespace {

struct Handle;

/** A type as seen by the ABI: enumerations are integers, and handles are opaque pointers. */
template <typename T>
struct Abi {
  using type = std::conditional_t<std::is_enum_v<T>, int, std::conditional_t<std::is_class_v<T>, Handle, T>>;
};
template <typename T>
struct Abi<const T> {
  using type = const typename Abi<T>::type;
};
template <typename T>
struct Abi<T*> {
  using type = typename Abi<T>::type*;
};
template <typename Result, typename... Arguments>
struct Abi<Result(Arguments...)> {
  using type = typename Abi<Result>::type(typename Abi<Arguments>::type...);
};

#define SAME_FUNCTION(name) static_assert(std::is_same_v<Abi<our_##name>::type, Abi<decltype(&::name)>::type>, #name);
GROOTVL_DRIVER_FUNCTIONS(SAME_FUNCTION)
#if CUDA_VERSION >= 12040
SAME_FUNCTION(cuFuncGetParamInfo)
#endif

#define SAME_NUMBER(name) static_assert(static_cast<long>(grootvl::name) == static_cast<long>(::name), #name);
SAME_NUMBER(CUDA_SUCCESS)
SAME_NUMBER(CUDA_ERROR_OUT_OF_MEMORY)
SAME_NUMBER(CUDA_ERROR_DEINITIALIZED)
SAME_NUMBER(CUDA_ERROR_NO_DEVICE)
SAME_NUMBER(CUDA_ERROR_INVALID_IMAGE)
SAME_NUMBER(CUDA_ERROR_NO_BINARY_FOR_GPU)
SAME_NUMBER(CUDA_ERROR_ECC_UNCORRECTABLE)
SAME_NUMBER(CUDA_ERROR_INVALID_PTX)
SAME_NUMBER(CUDA_ERROR_NVLINK_UNCORRECTABLE)
SAME_NUMBER(CUDA_ERROR_UNSUPPORTED_PTX_VERSION)
SAME_NUMBER(CUDA_ERROR_NOT_FOUND)
SAME_NUMBER(CUDA_ERROR_NOT_READY)
SAME_NUMBER(CUDA_ERROR_ILLEGAL_ADDRESS)
SAME_NUMBER(CUDA_ERROR_LAUNCH_TIMEOUT)
SAME_NUMBER(CUDA_ERROR_CONTEXT_IS_DESTROYED)
SAME_NUMBER(CUDA_ERROR_ASSERT)
SAME_NUMBER(CUDA_ERROR_HARDWARE_STACK_ERROR)
SAME_NUMBER(CUDA_ERROR_ILLEGAL_INSTRUCTION)
SAME_NUMBER(CUDA_ERROR_MISALIGNED_ADDRESS)
SAME_NUMBER(CUDA_ERROR_INVALID_ADDRESS_SPACE)
SAME_NUMBER(CUDA_ERROR_INVALID_PC)
SAME_NUMBER(CUDA_ERROR_LAUNCH_FAILED)
SAME_NUMBER(CUDA_ERROR_MPS_CLIENT_TERMINATED)
SAME_NUMBER(CUDA_ERROR_UNKNOWN)
SAME_NUMBER(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
SAME_NUMBER(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
SAME_NUMBER(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
SAME_NUMBER(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
SAME_NUMBER(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
SAME_NUMBER(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
SAME_NUMBER(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
SAME_NUMBER(CU_STREAM_NON_BLOCKING)
SAME_NUMBER(CU_EVENT_BLOCKING_SYNC)
SAME_NUMBER(CU_EVENT_DISABLE_TIMING)
#if CUDA_VERSION >= 13000
SAME_NUMBER(CUDA_ERROR_CONTAINED)
SAME_NUMBER(CUDA_ERROR_TENSOR_MEMORY_LEAK)
SAME_NUMBER(CUDA_ERROR_EXTERNAL_DEVICE)
#endif

}  // namespace
}  // namespace grootvl
