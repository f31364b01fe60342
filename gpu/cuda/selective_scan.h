/**
 * Selective scans along a text and along trees. Four threads share a channel, with four of its states each, so that a
 * warp reads 8 channels, a 32-byte sector, and 16 states are a pass; more states take more passes, which add to y.
 * Tokens are processed in a loop, and a block has only one warp to hide latency: values that do not depend on the
 * previous token are prefetched several tokens ahead, into registers. Without states there is one pass, of zeros.
 */
#pragma once
#include "constants.h"

constexpr int GROUP = WARP / SELECTIVE_CHANNELS;  // threads per channel
constexpr int OWN = SELECTIVE_STATES;             // states per thread
constexpr int PASS = GROUP * OWN;                 // states per pass
constexpr int AHEAD = 3;                          // number of iterations that tokens, or edges, are prefetched

struct Sizes {
  int batch;
  int length;    // L
  int channels;  // D
  int states;    // N
};

struct Gates {
  float state[OWN];
};

/**
 * A thread's own states of a row of N; those beyond are 0. Memory blocks are aligned, and so are rows of 4 n states.
 */
static __device__ inline Gates load(const float* row, int first, int states) {
  if (states % OWN == 0 && first < states) {
    const float4 four = *reinterpret_cast<const float4*>(row + first);
    return {{four.x, four.y, four.z, four.w}};
  }
  Gates gates;
#pragma unroll
  for (int k = 0; k < OWN; k++) gates.state[k] = first + k < states ? row[first + k] : 0.0f;
  return gates;
}

static __device__ inline void store(float* row, int first, int states, const Gates& gates) {
#pragma unroll
  for (int k = 0; k < OWN; k++) {
    if (first + k < states) row[first + k] = gates.state[k];
  }
}

/** -exp(logA); 0 for states beyond the last, whatever their deltaU. */
static __device__ inline Gates rates(const float* row, int first, int states) {
  const Gates logA = load(row, first, states);
  Gates rate;
#pragma unroll
  for (int k = 0; k < OWN; k++) rate.state[k] = first + k < states ? -expf(logA.state[k]) : 0.0f;
  return rate;
}

/** The sum over the threads of a channel. */
static __device__ inline float sumOfGroup(float value) {
  value += __shfl_xor_sync(0xffffffff, value, 1, GROUP);
  return value + __shfl_xor_sync(0xffffffff, value, 2, GROUP);
}

/**
 * Calls `visit(n, item)` for n < count. Items come from `read(n)`, called AHEAD iterations earlier, also beyond the
 * end.
 */
template <typename Item, typename Read, typename Visit>
static __device__ inline void readAhead(int count, Read read, Visit visit) {
  Item items[AHEAD];
#pragma unroll
  for (int k = 0; k < AHEAD; k++) items[k] = read(k);
  for (int first = 0; first < count; first += AHEAD) {
#pragma unroll
    for (int k = 0; k < AHEAD; k++) {
      const int n = first + k;
      if (n >= count) break;
      const Item item = items[k];
      items[k] = read(n + AHEAD);
      visit(n, item);
    }
  }
}

/** The values of a token that a thread reads; zeros beyond the end. */
struct Token {
  float step;
  float deltaU;
  float y;  // of the previous passes
  Gates in;
  Gates out;
  float4 extra;
};

struct Scan {
  const float* step;
  const float* deltaU;
  const float* inputGate;
  const float* outputGate;
  float* y;
  Sizes sizes;
  int channel;
  int first;  // state of the thread
  bool inside;

  __device__ bool writes() const { return inside && threadIdx.x % GROUP == 0; }

  __device__ Token read(int t, const float4* extra, bool isFirst) const {
    Token token = {};
    if (!inside || t >= sizes.length) return token;
    const size_t here = (size_t)t * sizes.channels + channel;
    token.step = step[here];
    token.deltaU = deltaU[here];
    if (!isFirst && writes()) token.y = y[here];
    token.in = load(inputGate + (size_t)t * sizes.states, first, sizes.states);
    token.out = load(outputGate + (size_t)t * sizes.states, first, sizes.states);
    if (extra) token.extra = extra[(size_t)t * blockDim.x];
    return token;
  }

  /**
   * The recurrence of a pass from h on. `extra` are further sums by token, [L, blockDim.x] of 4 states, or null. All
   * threads of a warp take part; those outside add nothing.
   */
  __device__ void recur(Gates& h, const Gates& rate, float inputScale, const float4* extra, float extraWeight,
                        bool isFirst) const {
    readAhead<Token>(
        sizes.length, [&](int t) { return read(t, extra, isFirst); },
        [&](int t, const Token& token) {
          const float deltaU = inputScale * token.deltaU;
          const float more[OWN] = {token.extra.x, token.extra.y, token.extra.z, token.extra.w};
          float sum = 0.0f;
#pragma unroll
          for (int k = 0; k < OWN; k++) {
            h.state[k] = expf(rate.state[k] * token.step) * h.state[k] + deltaU * token.in.state[k];
            sum += (h.state[k] + extraWeight * more[k]) * token.out.state[k];
          }
          sum = sumOfGroup(sum);
          if (writes()) y[(size_t)t * sizes.channels + channel] = token.y + sum;
        });
  }
};

static __device__ inline Scan scanOf(const float* step, const float* deltaU, const float* inputGate,
                                     const float* outputGate, float* y, const Sizes& sizes, size_t image, int tile) {
  const int channel = tile * (blockDim.x / GROUP) + threadIdx.x / GROUP;
  const size_t tokens = image * sizes.length;
  return {step + tokens * sizes.channels,
          deltaU + tokens * sizes.channels,
          inputGate + tokens * sizes.states,
          outputGate + tokens * sizes.states,
          y + tokens * sizes.channels,
          sizes,
          channel,
          (int)(threadIdx.x % GROUP) * OWN,
          channel < sizes.channels};
}
