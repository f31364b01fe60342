// The affinity-weighted mean over a tree. plugin/cpu/bottleneck_filter.ts describes how components are joined.
#include "simd_math.h"
#include "sort.h"

// Channels whose sums are computed together: those of a node fill a cache line.
constexpr int BLOCK = 8;

// Two nodes joined into one. The first nodes are the vertices; joined nodes follow.
struct Join {
  int32_t left, right;
  double affinity;
};

// Sorts like the numbers; NaN comes last.
static uint32_t key_of(float distance) {
  if (distance != distance) return 0xffffffffu;
  uint32_t bits;
  memcpy(&bits, &distance, sizeof bits);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

// Returns the representative vertex of a component, with path halving.
static int leader_of(int32_t* leaders, int vertex) {
  while (leaders[vertex] != vertex) vertex = leaders[vertex] = leaders[leaders[vertex]];
  return vertex;
}

// sums: [2V-1, WIDTH], vertices first. They are replaced by the sums that each node receives from all others.
template <int WIDTH>
static void spread(const Join* joins, int vertices, double* sums) {
  double* const made = sums + size_t(vertices) * WIDTH;
  const auto of = [&](int32_t node) { return sums + size_t(node) * WIDTH; };
  for (int i = 0; i + 1 < vertices; i++) {
    const double *left = of(joins[i].left), *right = of(joins[i].right);
    double* const node = made + size_t(i) * WIDTH;
    for (int d = 0; d < WIDTH; d++) node[d] = left[d] + right[d];
  }
  double* const last = of(2 * vertices - 2);
  for (int d = 0; d < WIDTH; d++) last[d] = 0;
  for (int i = vertices - 2; i >= 0; i--) {
    double *left = of(joins[i].left), *right = of(joins[i].right);
    const double* const beyond = made + size_t(i) * WIDTH;
    for (int d = 0; d < WIDTH; d++) {
      const double of_left = left[d];
      left[d] = beyond[d] + joins[i].affinity * right[d];
      right[d] = beyond[d] + joins[i].affinity * of_left;
    }
  }
}

EXPORT size_t bottleneck_filter_scratch(int vertices) {
  const size_t count = size_t(vertices);
  return count * (sizeof(Join) + (2 * BLOCK + 2) * sizeof(double) + 2 * sizeof(Entry) + 2 * sizeof(int32_t)) +
         DIGITS * sizeof(uint32_t);
}

EXPORT void bottleneck_filter(const float* x,         // [V, D]
                              const float* distance,  // [V]
                              const int32_t* order,   // [V]
                              const int32_t* parent,  // [V]
                              float* y,               // [V, D], the result
                              int vertices,           // V
                              int channels,           // D
                              float scale,            // of distances: -1 / zeta^2
                              void* scratch) {
  Join* const joins = static_cast<Join*>(scratch);
  double* const sums = reinterpret_cast<double*>(joins + vertices);
  double* const total = sums + size_t(2 * BLOCK) * vertices;
  Entry* const entries = reinterpret_cast<Entry*>(total + size_t(2) * vertices);
  Entry* const sorted = entries + vertices;
  int32_t* const leaders = reinterpret_cast<int32_t*>(sorted + vertices);
  int32_t* const nodes = leaders + vertices;  // by the representative vertex of a component
  uint32_t* const starts = reinterpret_cast<uint32_t*>(nodes + vertices);

  // Positions in `order`, sorted by distance. The root has none.
  for (int i = 1; i < vertices; i++) entries[i - 1] = {key_of(distance[order[i]]), i};
  sort_by_key(entries, sorted, vertices - 1, starts);
  for (int v = 0; v < vertices; v++) leaders[v] = nodes[v] = v;
  for (int i = 0; i + 1 < vertices; i++) {
    const int position = sorted[i].index, vertex = order[position];
    const int u = leader_of(leaders, vertex), v = leader_of(leaders, order[parent[position]]);
    const float affinity = wasm_f32x4_extract_lane(exponential(splat(scale * distance[vertex])), 0);
    joins[i] = {nodes[u], nodes[v], double(affinity)};
    // The later node is usually the larger component.
    const bool joins_v = nodes[u] < nodes[v];
    leaders[joins_v ? u : v] = joins_v ? v : u;
    nodes[joins_v ? v : u] = vertices + i;
  }

  for (int v = 0; v < vertices; v++) total[v] = 1;
  spread<1>(joins, vertices, total);
  for (int first = 0; first < channels; first += BLOCK) {
    const int width = channels - first < BLOCK ? channels - first : BLOCK;
    for (int v = 0; v < vertices; v++) {
      const float* const row = x + size_t(v) * channels + first;
      double* const own = sums + size_t(v) * BLOCK;
      for (int d = 0; d < BLOCK; d++) own[d] = d < width ? double(row[d]) : 0;
    }
    spread<BLOCK>(joins, vertices, sums);
    for (int v = 0; v < vertices; v++) {
      const size_t at = size_t(v) * channels + first;
      for (int d = 0; d < width; d++) {
        y[at + d] = float((sums[size_t(v) * BLOCK + d] + double(x[at + d])) / (total[v] + 1));
      }
    }
  }
}
