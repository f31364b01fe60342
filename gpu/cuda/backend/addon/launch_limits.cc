/** Rejects launches that exceed the limits of every device, with a message instead of CUDA_ERROR_INVALID_VALUE. */
#include "driver.h"

namespace grootvl {
namespace {

constexpr uint64_t kMaxBlocksX = 0x7fffffff;
constexpr uint64_t kMaxBlocksYZ = 65535;

[[noreturn]] void refuse(const KernelLimits& kernel, const std::string& what) {
  throw std::runtime_error("kernel " + kernel.name + ": " + what);
}

}  // namespace

void checkLaunch(const KernelLimits& kernel, const LaunchShape& shape, size_t argumentSize) {
  const auto& blocks = shape.blocks;
  if (blocks[0] - 1ull >= kMaxBlocksX || blocks[1] - 1ull >= kMaxBlocksYZ || blocks[2] - 1ull >= kMaxBlocksYZ) {
    refuse(kernel, "a grid of " + std::to_string(blocks[0]) + " x " + std::to_string(blocks[1]) + " x " +
                       std::to_string(blocks[2]) + " blocks; 1 to 2147483647 x 65535 x 65535 are possible");
  }
  const uint64_t threads = uint64_t{shape.threads[0]} * shape.threads[1];
  if (threads - 1 >= kernel.maxThreads) {
    refuse(kernel, std::to_string(shape.threads[0]) + " x " + std::to_string(shape.threads[1]) +
                       " threads a block; 1 to " + std::to_string(kernel.maxThreads) + " are possible");
  }
  if (shape.sharedBytes > kernel.sharedBytes) {
    refuse(kernel, std::to_string(shape.sharedBytes) + " bytes of dynamic shared memory; " +
                       std::to_string(kernel.sharedBytes) + " are there");
  }
  // A packer may round the size up to a multiple of a pointer's.
  const size_t rounded = (kernel.argumentSize + 7) / 8 * 8;
  if (kernel.argumentSize > 0 && argumentSize != kernel.argumentSize && argumentSize != rounded) {
    refuse(kernel, std::to_string(argumentSize) + " bytes of arguments; its parameters take " +
                       std::to_string(kernel.argumentSize));
  }
}

}  // namespace grootvl
