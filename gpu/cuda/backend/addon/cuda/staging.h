/**
 * Pinned host memory: only from there do copies run beside the program. Buffers are kept for the next copy of their
 * size class.
 */
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
    /** Pinned, or of the C library where no more memory may or can be pinned: copies are slower then, and as right. */
    bool pinned;
    /** Marks the end of the copy; made with the buffer. */
    CUevent event;
  };

  explicit Staging(const Context& context) : context_(context) {}
  /** The stream has to be idle. */
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  /** Copies to the device; the source may be changed afterwards. */
  void upload(Address to, const uint8_t* source, size_t bytes);

  /** @returns a buffer of at least `bytes` that nothing uses */
  Buffer take(size_t bytes);
  /** Gives back one whose copy is done. */
  void give(const Buffer& buffer);

 private:
  void destroy(const Buffer& buffer);
  /** Takes back what the device has read; waits for the oldest while more than `limit` bytes are under way. */
  void retire(size_t limit);

  const Context& context_;
  /** Unused buffers by size. */
  std::multimap<size_t, Buffer> unused_;
  size_t unusedBytes_ = 0;
  /** Of all buffers, in use or not. */
  size_t pinnedBytes_ = 0;
  /** Uploads in their order. */
  std::deque<Buffer> uploads_;
  size_t uploadBytes_ = 0;
};

}  // namespace grootvl
