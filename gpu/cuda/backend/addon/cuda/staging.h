/** Pinned host memory, which asynchronous copies require. Buffers are kept for the next copy of their size class. */
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "context.h"

namespace grootvl {

class Staging {
 public:
  struct Buffer {
    void* memory;
    size_t size;
    /** Pinned, or from the C library if no more memory may or can be pinned: copies are then slower, but correct. */
    bool pinned;
    /** Marks the end of the copy; created with the buffer. */
    CUevent event;
  };

  explicit Staging(const Context& context) : context_(context) {}
  /** The stream must be idle. */
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  /** Copies to the device; the source may be changed afterwards. */
  void upload(Address to, const uint8_t* source, size_t bytes);

  /** @returns an unused buffer of at least `bytes` */
  Buffer take(size_t bytes);
  /** Returns a buffer whose copy is done. */
  void give(const Buffer& buffer);

 private:
  void destroy(const Buffer& buffer);
  /** Reclaims buffers that the device has read; waits for the oldest while more than `limit` bytes are in flight. */
  void retire(size_t limit);

  const Context& context_;
  /** Unused buffers by size. */
  std::multimap<size_t, Buffer> unused_;
  size_t unusedBytes_ = 0;
  /** Of all buffers, in use or not. */
  size_t pinnedBytes_ = 0;
  /** Uploads in order. */
  std::deque<Buffer> uploads_;
  size_t uploadBytes_ = 0;
};

}  // namespace grootvl
