/**
 * SelectiveScan and SelectiveTreeScan. Four lanes share a channel and have four of its states each, so that a warp
 * reads 8 channels, a 32-byte sector, and 16 states are a pass; more states take more passes, which add to y. Tokens
 * follow one another in a loop: all but the recurrence itself does not depend on it, and is there in time. Without
 * states there is one pass, of zeros.
 */
#include "kernel.h"

constexpr int GROUP = 4;           // lanes a channel
constexpr int OWN = 4;             // states a lane
constexpr int PASS = GROUP * OWN;  // states a pass

struct Sizes {
  int batch;
  int length;    // L
  int channels;  // D
  int states;    // N
};

struct Gates {
  float state[OWN];
};

/** A lane's own states of a row of N; those beyond are 0. Blocks of memory and so rows of 4 n states are aligned. */
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

/** -exp(logA); of states beyond the last 0, whatever their drive. */
static __device__ inline Gates rates(const float* row, int first, int states) {
  const Gates logA = load(row, first, states);
  Gates rate;
#pragma unroll
  for (int k = 0; k < OWN; k++) rate.state[k] = first + k < states ? -expf(logA.state[k]) : 0.0f;
  return rate;
}

/** The sum over the lanes of a channel. */
static __device__ inline float sumOfGroup(float value) {
  value += __shfl_xor_sync(0xffffffff, value, 1, GROUP);
  return value + __shfl_xor_sync(0xffffffff, value, 2, GROUP);
}

struct Scan {
  const float* step;
  const float* drive;
  const float* inputGate;
  const float* outputGate;
  float* y;
  Sizes sizes;
  int channel;
  int first;  // state of the lane
  bool inside;

  /**
   * The recurrence of a pass from h on. `extra` are further sums by token, [L, blockDim.x] of 4 states, or null.
   * All lanes of a warp take part; those outside have nothing to add.
   */
  __device__ void recur(Gates& h, const Gates& rate, float inputScale, const float4* extra, float extraWeight,
                        bool isFirst) const {
    for (int t = 0; t < sizes.length; t++) {
      float sum = 0.0f;
      const size_t here = (size_t)t * sizes.channels + channel;
      if (inside) {
        const float stepHere = step[here], driveHere = inputScale * drive[here];
        const Gates in = load(inputGate + (size_t)t * sizes.states, first, sizes.states);
        const Gates out = load(outputGate + (size_t)t * sizes.states, first, sizes.states);
        float more[OWN] = {};
        if (extra) {
          const float4 four = extra[(size_t)t * blockDim.x];
          more[0] = four.x, more[1] = four.y, more[2] = four.z, more[3] = four.w;
        }
#pragma unroll
        for (int k = 0; k < OWN; k++) {
          h.state[k] = expf(rate.state[k] * stepHere) * h.state[k] + driveHere * in.state[k];
          sum += (h.state[k] + extraWeight * more[k]) * out.state[k];
        }
      }
      sum = sumOfGroup(sum);
      if (inside && threadIdx.x % GROUP == 0) y[here] = isFirst ? sum : y[here] + sum;
    }
  }
};

static __device__ inline Scan scanOf(const float* step, const float* drive, const float* inputGate,
                                     const float* outputGate, float* y, const Sizes& sizes, size_t image, int tile) {
  const int channel = tile * (blockDim.x / GROUP) + threadIdx.x / GROUP;
  const size_t tokens = image * sizes.length;
  return {step + tokens * sizes.channels,
          drive + tokens * sizes.channels,
          inputGate + tokens * sizes.states,
          outputGate + tokens * sizes.states,
          y + tokens * sizes.channels,
          sizes,
          channel,
          (int)(threadIdx.x % GROUP) * OWN,
          channel < sizes.channels};
}

/** blockIdx.x counts tiles of channels, and images. */
KERNEL(selective_scan, 32, const float* __restrict__ step, const float* __restrict__ drive,
       const float* __restrict__ logA, const float* __restrict__ inputGate, const float* __restrict__ outputGate,
       const float* __restrict__ state, float* y, float* __restrict__ nextState, Sizes sizes, int tiles,
       float inputScale) {
  const size_t image = blockIdx.x / tiles;
  Scan scan = scanOf(step, drive, inputGate, outputGate, y, sizes, image, blockIdx.x % tiles);
  const size_t ofState = (image * sizes.channels + scan.channel) * sizes.states;
  int pass = 0;
  do {
    Gates h = {}, rate = {};
    if (scan.inside) {
      rate = rates(logA + (size_t)scan.channel * sizes.states, scan.first, sizes.states);
      if (state) h = load(state + ofState, scan.first, sizes.states);
    }
    scan.recur(h, rate, inputScale, nullptr, 0.0f, pass == 0);
    if (scan.inside) store(nextState + ofState, scan.first, sizes.states, h);
    pass += PASS;
    scan.first += PASS;
  } while (pass < sizes.states);
}

/**
 * Sums over subtrees go by the order of the tree, a thread alone with its own four states: `sums`, [gridDim.x, L,
 * blockDim.x] of four, is memory for the blocks that there are; they go on from image to image, and tile to tile.
 */
KERNEL(selective_tree_scan, 32, const float* __restrict__ step, const float* __restrict__ drive,
       const float* __restrict__ logA, const float* __restrict__ inputGate, const float* __restrict__ outputGate,
       const int* __restrict__ order, const int* __restrict__ parent, float* y, float* __restrict__ nextState,
       float4* sums, Sizes sizes, int tiles, float treeWeight) {
  const int length = sizes.length;
  float4* const own = sums + (size_t)blockIdx.x * length * blockDim.x + threadIdx.x;
  for (int work = blockIdx.x; work < sizes.batch * tiles; work += gridDim.x) {
    const size_t image = work / tiles;
    const int* const vertices = order + image * length;
    const int* const parents = parent + image * length;
    Scan scan = scanOf(step, drive, inputGate, outputGate, y, sizes, image, work % tiles);
    const size_t ofState = (image * sizes.channels + scan.channel) * sizes.states;
    int pass = 0;
    do {
      Gates rate = {}, h = {};
      if (scan.inside) {
        rate = rates(logA + (size_t)scan.channel * sizes.states, scan.first, sizes.states);
        for (int t = 0; t < length; t++) {
          const float driveHere = scan.drive[(size_t)t * sizes.channels + scan.channel];
          const Gates in = load(scan.inputGate + (size_t)t * sizes.states, scan.first, sizes.states);
          own[(size_t)t * blockDim.x] = make_float4(driveHere * in.state[0], driveHere * in.state[1],
                                                    driveHere * in.state[2], driveHere * in.state[3]);
        }
        for (int i = length - 1; i > 0; i--) {
          // Vertices are tokens in reversed time. The edge carries the decay of the token right after the child.
          const int child = length - 1 - vertices[i], to = length - 1 - vertices[parents[i]];
          const float stepAfter = scan.step[(size_t)(child + 1) * sizes.channels + scan.channel];
          const float4 from = own[(size_t)child * blockDim.x];
          float4 sum = own[(size_t)to * blockDim.x];
          sum.x += expf(rate.state[0] * stepAfter) * from.x;
          sum.y += expf(rate.state[1] * stepAfter) * from.y;
          sum.z += expf(rate.state[2] * stepAfter) * from.z;
          sum.w += expf(rate.state[3] * stepAfter) * from.w;
          own[(size_t)to * blockDim.x] = sum;
        }
      }
      scan.recur(h, rate, 1.0f, own, treeWeight, pass == 0);
      if (scan.inside) {
        const float4 last = own[(size_t)(length - 1) * blockDim.x];
        h.state[0] += treeWeight * last.x;
        h.state[1] += treeWeight * last.y;
        h.state[2] += treeWeight * last.z;
        h.state[3] += treeWeight * last.w;
        store(nextState + ofState, scan.first, sizes.states, h);
      }
      pass += PASS;
      scan.first += PASS;
    } while (pass < sizes.states);
  }
}
