#include "staging.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace grootvl {
namespace {

constexpr size_t kSmallestBuffer = size_t{4} << 10;
/** Longer uploads are split into pieces, so that the device copies one while the next is filled. */
constexpr size_t kPiece = size_t{4} << 20;
/** Limit of uploads in flight: enough to keep the bus busy. A program that uploads faster waits. */
constexpr size_t kMostUploadBytes = size_t{64} << 20;
/**
 * Limit of pinned memory: otherwise many simultaneous reads of large tensors would take the memory of all other
 * programs.
 */
constexpr size_t kMostPinnedBytes = size_t{1} << 30;
/** Limit of memory kept for reuse, for the same reason. */
constexpr size_t kMostUnusedBytes = size_t{64} << 20;

/** Powers of two, so that buffers can be reused; sizes that are not kept are not rounded up. */
size_t sizeClass(size_t bytes) {
  if (bytes > kMostUnusedBytes) return bytes;
  size_t size = kSmallestBuffer;
  while (size < bytes) size *= 2;
  return size;
}

}  // namespace

Staging::~Staging() {
  for (const Buffer& buffer : uploads_) destroy(buffer);
  for (const auto& [size, buffer] : unused_) destroy(buffer);
}

void Staging::upload(Address to, const uint8_t* source, size_t bytes) {
  for (size_t done = 0; done < bytes; done += kPiece) {
    const size_t size = std::min(kPiece, bytes - done);
    retire(kMostUploadBytes);
    const Buffer buffer = take(size);
    std::memcpy(buffer.memory, source + done, size);
    // From here on it belongs to the device, even if something fails.
    uploads_.push_back(buffer);
    uploadBytes_ += buffer.size;
    context_.check(context_.api.cuMemcpyHtoDAsync_v2(to + done, buffer.memory, size, context_.stream), "upload");
    context_.check(context_.api.cuEventRecord(buffer.event, context_.stream), "upload");
  }
}

void Staging::retire(size_t limit) {
  while (!uploads_.empty()) {
    const Buffer oldest = uploads_.front();
    const CUresult state =
        uploadBytes_ > limit ? context_.api.cuEventSynchronize(oldest.event) : context_.api.cuEventQuery(oldest.event);
    if (state == CUDA_ERROR_NOT_READY) return;
    context_.check(state, "upload");
    uploads_.pop_front();
    uploadBytes_ -= oldest.size;
    give(oldest);
  }
}

Staging::Buffer Staging::take(size_t bytes) {
  const size_t size = sizeClass(bytes);
  const auto found = unused_.find(size);
  if (found != unused_.end()) {
    const Buffer buffer = found->second;
    unused_.erase(found);
    unusedBytes_ -= size;
    return buffer;
  }
  Buffer buffer = {nullptr, size, pinnedBytes_ + size <= kMostPinnedBytes, nullptr};
  context_.check(context_.api.cuEventCreate(&buffer.event, CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING),
                 "cuEventCreate");
  CUresult result = CUDA_SUCCESS;
  if (buffer.pinned) {
    result = context_.api.cuMemHostAlloc(&buffer.memory, size, 0);
    if (result == CUDA_ERROR_OUT_OF_MEMORY) buffer.pinned = false;
  }
  if (buffer.pinned) pinnedBytes_ += size;
  else buffer.memory = std::malloc(size);
  if (!buffer.memory) {
    destroy(buffer);
    context_.check(result, "cuMemHostAlloc");
    throw std::runtime_error("no memory of the host for a copy of " + std::to_string(size) + " bytes");
  }
  return buffer;
}

void Staging::give(const Buffer& buffer) {
  if (!buffer.pinned || buffer.size > kMostUnusedBytes) {
    destroy(buffer);
    return;
  }
  // Frees others, largest first: the most recently used are the most likely to be needed again.
  while (unusedBytes_ + buffer.size > kMostUnusedBytes) {
    const auto largest = std::prev(unused_.end());
    unusedBytes_ -= largest->first;
    destroy(largest->second);
    unused_.erase(largest);
  }
  unused_.emplace(buffer.size, buffer);
  unusedBytes_ += buffer.size;
}

void Staging::destroy(const Buffer& buffer) {
  if (buffer.pinned) {
    pinnedBytes_ -= buffer.size;
    if (buffer.memory) context_.api.cuMemFreeHost(buffer.memory);
  } else {
    std::free(buffer.memory);
  }
  context_.api.cuEventDestroy_v2(buffer.event);
}

}  // namespace grootvl
