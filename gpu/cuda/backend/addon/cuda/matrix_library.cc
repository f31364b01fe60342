#include "matrix_library.h"

namespace grootvl {
namespace {

// From library_types.h and cublas_api.h.
constexpr int CUDA_R_32F = 0;
constexpr int CUBLAS_OP_N = 0;
constexpr int CUBLAS_OP_T = 1;
constexpr int CUBLAS_COMPUTE_32F_PEDANTIC = 69;
constexpr int CUBLAS_COMPUTE_32F_FAST_TF32 = 77;
constexpr int CUBLAS_GEMM_DEFAULT = -1;

/** Newest first; in the loader's search path, and where the toolkit installs it. */
constexpr const char* kLibraries[] = {
    "libcublas.so.13",
    "libcublas.so.12",
    "libcublas.so.11",
    "/usr/local/cuda/lib64/libcublas.so.13",
    "/usr/local/cuda/lib64/libcublas.so.12",
    "/usr/local/cuda/lib64/libcublas.so.11",
};

const void* pointer(Address address) { return reinterpret_cast<const void*>(address); }

}  // namespace

MatrixLibrary::~MatrixLibrary() {
  if (handle_) destroy_(handle_);
}

bool MatrixLibrary::isThere() {
  if (!searched_) {
    searched_ = true;
    for (const char* library : kLibraries) {
      if (open(library)) break;
    }
  }
  return handle_ != nullptr;
}

/** A library newer than the driver opens but then fails: the next older one may work. */
bool MatrixLibrary::open(const char* name) {
  void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return false;
  const bool complete = find(library, "cublasCreate_v2", create_) && find(library, "cublasDestroy_v2", destroy_) &&
                        find(library, "cublasSetStream_v2", setStream_) &&
                        find(library, "cublasGemmStridedBatchedEx", multiply_);
  find(library, "cublasGetStatusName", statusName_);
  if (!complete || create_(&handle_) != 0) {
    handle_ = nullptr;
    dlclose(library);
    return false;
  }
  if (setStream_(handle_, context_.stream) == 0) return true;
  destroy_(handle_);
  handle_ = nullptr;
  return false;
}

void MatrixLibrary::multiply(const MatrixProduct& product) {
  if (!isThere()) throw std::runtime_error("cuBLAS was not found: libcublas.so.13, .12 or .11");
  // cuBLAS is column-major. A row-major matrix read by columns is its transpose, and C' = B' A': with the factors
  // swapped, nothing needs to be moved.
  const int rowA = product.transposeA ? product.m : product.k;
  const int rowB = product.transposeB ? product.k : product.n;
  const float one = 1;
  const float zero = 0;
  const Status status =
      multiply_(handle_, product.transposeB ? CUBLAS_OP_T : CUBLAS_OP_N, product.transposeA ? CUBLAS_OP_T : CUBLAS_OP_N,
                product.n, product.m, product.k, &one, pointer(product.b), CUDA_R_32F, rowB, product.strideB,
                pointer(product.a), CUDA_R_32F, rowA, product.strideA, &zero, reinterpret_cast<void*>(product.c),
                CUDA_R_32F, product.n, product.strideC, product.batches,
                product.allowTf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_PEDANTIC, CUBLAS_GEMM_DEFAULT);
  if (status == 0) return;
  // If an earlier kernel failed, its error is the better message.
  context_.check(context_.api.cuStreamSynchronize(context_.stream), "multiply");
  const std::string name = statusName_ ? statusName_(status) : "status " + std::to_string(status);
  throw std::runtime_error("cuBLAS refused a product of [" + std::to_string(product.m) + ", " +
                           std::to_string(product.k) + "] and [" + std::to_string(product.k) + ", " +
                           std::to_string(product.n) + "]: " + name);
}

}  // namespace grootvl
