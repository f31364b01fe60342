/**
 * SelectiveScan and SelectiveTreeScan. Four lanes share a channel and have four of its states each, so that a warp
 * reads 8 channels, a 32-byte sector, and 16 states are a pass; more states take more passes, which add to y. Tokens
 * follow one another in a loop, and there is but one warp to a block to wait with: what does not depend on the token
 * before is read some tokens ahead, into registers. Without states there is one pass, of zeros.
 */
#include "kernel.h"

constexpr int GROUP = 4;           // lanes a channel
constexpr int OWN = 4;             // states a lane
constexpr int PASS = GROUP * OWN;  // states a pass
constexpr int AHEAD = 3;           // tokens, or edges, that are read before their turn

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

/** Calls `visit(n, item)` for n < count. Items are what `read(n)` gives, AHEAD turns before; also for n beyond the end. */
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

/** What a lane reads of a token; zeros where there is none. */
struct Token {
  float step;
  float drive;
  float y;  // of the passes before
  Gates in;
  Gates out;
  float4 extra;
};

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

  __device__ bool writes() const { return inside && threadIdx.x % GROUP == 0; }

  __device__ Token read(int t, const float4* extra, bool isFirst) const {
    Token token = {};
    if (!inside || t >= sizes.length) return token;
    const size_t here = (size_t)t * sizes.channels + channel;
    token.step = step[here];
    token.drive = drive[here];
    if (!isFirst && writes()) token.y = y[here];
    token.in = load(inputGate + (size_t)t * sizes.states, first, sizes.states);
    token.out = load(outputGate + (size_t)t * sizes.states, first, sizes.states);
    if (extra) token.extra = extra[(size_t)t * blockDim.x];
    return token;
  }

  /**
   * The recurrence of a pass from h on. `extra` are further sums by token, [L, blockDim.x] of 4 states, or null.
   * All lanes of a warp take part; those outside have nothing to add.
   */
  __device__ void recur(Gates& h, const Gates& rate, float inputScale, const float4* extra, float extraWeight,
                        bool isFirst) const {
    readAhead<Token>(
        sizes.length, [&](int t) { return read(t, extra, isFirst); },
        [&](int t, const Token& token) {
          const float drive = inputScale * token.drive;
          const float more[OWN] = {token.extra.x, token.extra.y, token.extra.z, token.extra.w};
          float sum = 0.0f;
#pragma unroll
          for (int k = 0; k < OWN; k++) {
            h.state[k] = expf(rate.state[k] * token.step) * h.state[k] + drive * token.in.state[k];
            sum += (h.state[k] + extraWeight * more[k]) * token.out.state[k];
          }
          sum = sumOfGroup(sum);
          if (writes()) y[(size_t)t * sizes.channels + channel] = token.y + sum;
        });
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

/** An edge of a tree: the tokens of a child and its parent, and the step of the token right after the child. */
struct Edge {
  int child;
  int parent;
  float step;
};

/**
 * Sums over subtrees, of the tokens' drive times their gates: `own[t * blockDim.x]` for the lane's states. Vertices are
 * tokens in reversed time.
 */
static __device__ inline void sumSubtrees(float4* own, const Scan& scan, const Gates& rate, const int* vertices,
                                          const int* parents) {
  readAhead<Token>(
      scan.sizes.length, [&](int t) { return scan.read(t, nullptr, true); },
      [&](int t, const Token& token) {
        const float* const in = token.in.state;
        own[(size_t)t * blockDim.x] =
            make_float4(token.drive * in[0], token.drive * in[1], token.drive * in[2], token.drive * in[3]);
      });
  const int last = scan.sizes.length - 1;
  const auto edgeAt = [&](int n) {
    if (n >= last) return Edge{};
    const int child = last - vertices[last - n], parent = last - vertices[parents[last - n]];
    return Edge{child, parent, scan.step[(size_t)(child + 1) * scan.sizes.channels + scan.channel]};
  };
  readAhead<Edge>(last, edgeAt, [&](int, const Edge& edge) {
    const float4 from = own[(size_t)edge.child * blockDim.x];
    float4 sum = own[(size_t)edge.parent * blockDim.x];
    sum.x += expf(rate.state[0] * edge.step) * from.x;
    sum.y += expf(rate.state[1] * edge.step) * from.y;
    sum.z += expf(rate.state[2] * edge.step) * from.z;
    sum.w += expf(rate.state[3] * edge.step) * from.w;
    own[(size_t)edge.parent * blockDim.x] = sum;
  });
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
        sumSubtrees(own, scan, rate, vertices, parents);
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
