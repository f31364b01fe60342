// The native code that WebAssembly kernels are compared with: the same algorithms in C++ for this processor, with all
// of its vector instructions (g++ -O3 -march=native), and its peak rate in 128-bit vectors without fused multiply-add,
// which is all that WebAssembly SIMD offers.
//   native scan FILE, native tree FILE   time one problem, as JSON
//   native peak                          GFLOP/s
//   native read BYTES                    milliseconds to read that many bytes of memory
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static int V, D, E;

// The rows of a call are either distinct or identical.
static inline void copy_row(float* y, const float* x, int channels) { memcpy(y, x, channels * sizeof(float)); }

static inline void gather_one(float* y, const float* base, const float* w, const float* up, int channels) {
#pragma GCC ivdep
  for (int d = 0; d < channels; d++) y[d] = base[d] + w[d] * up[d];
}

static inline void gather_two(float* y, const float* base, const float* w, const float* up, const float* w2,
                              const float* up2, int channels) {
#pragma GCC ivdep
  for (int d = 0; d < channels; d++) y[d] = base[d] + w[d] * up[d] + w2[d] * up2[d];
}

// Gather form along breadth-first order: see wasm/tree_passes.h.
static void tree_scan(const float* x, const float* decay, const int32_t* order, const int32_t* parent, float* y) {
  const int vertices = V, channels = D;
  int end = vertices;
  for (int i = vertices - 1; i >= 0; i--) {
    int child = end;
    while (child > 1 && parent[child - 1] == i) child--;
    const size_t v = size_t(order[i]) * channels;
    int remaining = end - child;
    end = child;
    if (remaining == 0) {
      copy_row(y + v, x + v, channels);
      continue;
    }
    const float* base = x + v;
    for (; remaining >= 2; remaining -= 2, child += 2, base = y + v) {
      const size_t a = size_t(order[child]) * channels, b = size_t(order[child + 1]) * channels;
      gather_two(y + v, base, decay + a, y + a, decay + b, y + b, channels);
    }
    if (remaining == 1) {
      const size_t c = size_t(order[child]) * channels;
      gather_one(y + v, base, decay + c, y + c, channels);
    }
  }
  for (int i = 1; i < vertices; i++) {
    float* const own = y + size_t(order[i]) * channels;
    const float* const up = y + size_t(order[parent[i]]) * channels;
    const float* const w = decay + size_t(order[i]) * channels;
#pragma GCC ivdep
    for (int d = 0; d < channels; d++) own[d] += w[d] * (up[d] - w[d] * own[d]);
  }
}

struct Edge {
  int32_t u, v;
  uint32_t key;
  int32_t index;
};

// Contracted Boruvka, then breadth-first order: see wasm/boruvka.as.ts.
static void spanning_tree(const float* weights, const int32_t* edges, int32_t* edge_index, int32_t* order,
                          int32_t* parent) {
  static std::vector<Edge> list;
  static std::vector<uint64_t> first;
  static std::vector<int32_t> joins, renamed, degree, next, unsorted, sorted;
  static std::vector<uint8_t> chosen;
  list.resize(E), first.resize(V), joins.resize(V), renamed.resize(V), next.resize(V);
  unsorted.resize(2 * V), sorted.resize(2 * V);
  chosen.assign(E, 0), degree.assign(V + 1, 0);
  int left = 0;
  for (int e = 0; e < E; e++) {
    const float weight = weights[e] + 0.0f;
    uint32_t bits;
    memcpy(&bits, &weight, 4);
    list[left] = {edges[2 * e], edges[2 * e + 1], bits & 0x80000000 ? ~bits : bits | 0x80000000, e};
    left += edges[2 * e] != edges[2 * e + 1];
  }
  for (int components = V; components > 1;) {
    std::fill_n(first.begin(), components, ~uint64_t(0));
    for (int i = 0; i < left; i++) {
      const uint64_t candidate = uint64_t(list[i].key) << 32 | i;
      first[list[i].u] = std::min(first[list[i].u], candidate);
      first[list[i].v] = std::min(first[list[i].v], candidate);
    }
    for (int c = 0; c < components; c++) {
      const Edge& edge = list[uint32_t(first[c])];
      chosen[edge.index] = 1;
      joins[c] = edge.u ^ edge.v ^ c;
    }
    int roots = 0;
    for (int c = 0; c < components; c++) {
      const int other = joins[c];
      const bool is_root = (joins[other] == c) & (c < other);
      joins[c] = is_root ? c : other;
      renamed[c] = roots;
      roots += is_root;
    }
    for (int moved = 1; moved;) {
      moved = 0;
      for (int c = 0; c < components; c++) {
        const int up = joins[c], beyond = joins[up];
        joins[c] = beyond;
        moved |= up ^ beyond;
      }
    }
    components = roots;
    int kept = 0;
    for (int i = 0; i < left; i++) {
      const int u = renamed[joins[list[i].u]], v = renamed[joins[list[i].v]];
      list[kept] = {u, v, list[i].key, list[i].index};
      kept += u != v;
    }
    left = kept;
  }
  int count = 0;
  for (int e = 0; e < E && count < V - 1; e++) {
    edge_index[count] = e;
    count += chosen[e];
  }
  for (int i = 0; i < count; i++) {
    degree[edges[2 * edge_index[i]] + 1]++;
    degree[edges[2 * edge_index[i] + 1] + 1]++;
  }
  for (int v = 0; v < V; v++) degree[v + 1] += degree[v];
  std::copy_n(degree.begin(), V, next.begin());
  for (int i = 0; i < count; i++) {
    const int u = edges[2 * edge_index[i]], v = edges[2 * edge_index[i] + 1];
    unsorted[next[u]++] = v;
    unsorted[next[v]++] = u;
  }
  std::copy_n(degree.begin(), V, next.begin());
  for (int v = 0; v < V; v++) {
    for (int i = degree[v]; i < degree[v + 1]; i++) sorted[next[unsorted[i]]++] = v;
  }
  order[0] = parent[0] = 0;
  for (int position = 0, filled = 1; position < filled; position++) {
    const int v = order[position], above = order[parent[position]];
    for (int i = degree[v]; i < degree[v + 1]; i++) {
      if (sorted[i] == above) continue;
      order[filled] = sorted[i];
      parent[filled++] = position;
    }
  }
}

// Median over batches of calls, in microseconds per call.
template <typename Run>
static double median_us(Run run) {
  using clock = std::chrono::steady_clock;
  const auto measure = [&](int calls) {
    const auto start = clock::now();
    for (int i = 0; i < calls; i++) run();
    return std::chrono::duration<double, std::micro>(clock::now() - start).count();
  };
  measure(10);
  const int calls = std::max(1, int(2000 / (measure(10) / 10)));  // about 2 ms
  std::vector<double> times;
  for (int i = 0; i < 101; i++) times.push_back(measure(calls) / calls);
  std::nth_element(times.begin(), times.begin() + 50, times.end());
  return times[50];
}

// GFLOP/s of multiplications and additions in 128-bit vectors, on registers only.
static double peak_gflops() {
  using Lanes = float __attribute__((vector_size(16)));
  constexpr int SUMS = 8, TURNS = 1 << 15;
  Lanes total = {};
  const double us = median_us([&] {
    Lanes factor = {1, 1, 1, 1};  // smaller ones would lead to subnormal products, which are slow
    asm("" : "+x"(factor));
    Lanes sums[SUMS] = {}, products[SUMS];
    for (Lanes& product : products) product = factor;
    for (int turn = 0; turn < TURNS; turn++) {
#pragma GCC unroll 8
      for (int i = 0; i < SUMS; i++) {
        products[i] *= factor;
        sums[i] += factor;
        asm("" : "+x"(products[i]), "+x"(sums[i]));
      }
    }
    for (int i = 0; i < SUMS; i++) total += sums[i] + products[i];
  });
  volatile float used = total[0];
  (void)used;
  return 2.0 * 4 * SUMS * TURNS / us / 1000;
}

template <typename T>
static std::vector<T> read(FILE* file, size_t count) {
  std::vector<T> values(count);
  if (fread(values.data(), sizeof(T), count, file) != count) exit(1);
  return values;
}

// Milliseconds to read that many bytes of memory once, in order: the median of several runs.
static double reading_ms(size_t bytes) {
  using clock = std::chrono::steady_clock;
  using Lanes = float __attribute__((vector_size(64)));
  constexpr int SUMS = 4;
  const size_t turns = bytes / sizeof(Lanes) / SUMS;
  std::vector<float> values(turns * SUMS * sizeof(Lanes) / sizeof(float), 1.0f);
  const char* const memory = reinterpret_cast<const char*>(values.data());
  std::vector<double> times;
  for (int i = 0; i < 9; i++) {
    const auto start = clock::now();
    Lanes sums[SUMS] = {};
    for (size_t turn = 0; turn < turns; turn++) {
#pragma GCC unroll 4
      for (int k = 0; k < SUMS; k++) {
        Lanes lanes;
        memcpy(&lanes, memory + (turn * SUMS + k) * sizeof(Lanes), sizeof(Lanes));
        sums[k] += lanes;
      }
    }
    times.push_back(std::chrono::duration<double, std::milli>(clock::now() - start).count());
    for (Lanes& sum : sums) asm("" : : "m"(sum));
  }
  std::nth_element(times.begin(), times.begin() + 4, times.end());
  return times[4];
}

static void print(double us, double checksum) { printf("{\"us\": %g, \"checksum\": %.17g}\n", us, checksum); }

template <typename T>
static double sum(const std::vector<T>& values) {
  double total = 0;
  for (const T value : values) total += value;
  return total;
}

// V, D; x and decay [V, D]; order and parent [V].
static void time_scan(FILE* file) {
  const auto sizes = read<int32_t>(file, 2);
  V = sizes[0], D = sizes[1];
  const auto x = read<float>(file, size_t(V) * D), decay = read<float>(file, size_t(V) * D);
  const auto order = read<int32_t>(file, V), parent = read<int32_t>(file, V);
  std::vector<float> y(size_t(V) * D);
  const double us = median_us([&] { tree_scan(x.data(), decay.data(), order.data(), parent.data(), y.data()); });
  print(us, sum(y));
}

// V, E, S; weights [S, E], the first of which determines the checksum; edges [E, 2].
static void time_tree(FILE* file) {
  const auto sizes = read<int32_t>(file, 3);
  V = sizes[0], E = sizes[1];
  const int samples = sizes[2];
  const auto weights = read<float>(file, size_t(samples) * E);
  const auto edges = read<int32_t>(file, 2 * size_t(E));
  std::vector<int32_t> edge_index(V), order(V), parent(V);
  const auto tree_of = [&](int item) {
    spanning_tree(weights.data() + size_t(item) * E, edges.data(), edge_index.data(), order.data(), parent.data());
  };
  int sample = 0;
  const double us = median_us([&] { tree_of(sample++ % samples); });
  tree_of(0);
  edge_index[V - 1] = 0;  // one more than a tree has edges
  print(us, sum(edge_index) + sum(order) + sum(parent));
}

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "peak") printf("%g\n", peak_gflops());
  else if (what == "read" && count == 3) printf("%g\n", reading_ms(strtoull(arguments[2], nullptr, 10)));
  else {
    FILE* const file = count == 3 ? fopen(arguments[2], "rb") : nullptr;
    if (!file) return 1;
    if (what == "scan") time_scan(file);
    else if (what == "tree") time_tree(file);
    else return 1;
  }
}
