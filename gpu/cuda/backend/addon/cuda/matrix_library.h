/** cuBLAS, if installed: loaded when the first product is requested. */
#pragma once

#include "context.h"

namespace grootvl {

class MatrixLibrary {
 public:
  explicit MatrixLibrary(const Context& context) : context_(context) {}
  ~MatrixLibrary();
  MatrixLibrary(const MatrixLibrary&) = delete;
  MatrixLibrary& operator=(const MatrixLibrary&) = delete;

  /** Searches for it on the first call, which takes a moment. */
  bool isThere();
  void multiply(const MatrixProduct& product);

 private:
  using Handle = struct cublasContext*;
  using Status = int;

  bool open(const char* library);

  const Context& context_;
  bool searched_ = false;
  Handle handle_ = nullptr;

  Status (*create_)(Handle* handle) = nullptr;
  Status (*destroy_)(Handle handle) = nullptr;
  Status (*setStream_)(Handle handle, CUstream stream) = nullptr;
  const char* (*statusName_)(Status status) = nullptr;
  Status (*multiply_)(Handle handle, int transposeA, int transposeB, int m, int n, int k, const void* alpha,
                      const void* a, int typeA, int rowA, long long strideA, const void* b, int typeB, int rowB,
                      long long strideB, const void* beta, void* c, int typeC, int rowC, long long strideC, int batches,
                      int computeType, int algorithm) = nullptr;
};

}  // namespace grootvl
