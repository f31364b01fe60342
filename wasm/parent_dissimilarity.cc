// Distances of vertices to their parents, for each group of channels, and their gradient; the formulas are in
// plugin/cpu/slopes.ts. The last step of the cosine is in float64.
#include "distances.h"

struct Groups {
  const float* features;  // [V, C] of an item
  const int32_t* order;   // vertex ids in breadth-first order
  const int32_t* parent;  // positions in `order`
  int vertices;
  int groups;
  int size;  // channels of a group
  double smallest_norm;

  size_t channels() const { return size_t(groups) * size; }
};

// Calls visit(v, p, g) for every edge and group: vertex ids.
template <typename Visit>
INLINE void for_groups(const Groups& at, const Visit& visit) {
  for (int i = 1; i < at.vertices; i++) {
    for (int g = 0; g < at.groups; g++) visit(at.order[i], at.order[at.parent[i]], g);
  }
}

static void measure_norms(const Groups& at, double* norms) {
  for (int i = 0; i < at.vertices * at.groups; i++) norms[i] = norm_of(at.features + size_t(i) * at.size, at.size);
}

template <Metric metric>
static void measure(const Groups& at, float* distance, const double* norms) {
  for (int g = 0; g < at.groups; g++) distance[size_t(at.order[0]) * at.groups + g] = 0;
  for_groups(at, [&](int v, int p, int g) {
    const size_t own = size_t(v) * at.groups + g, above = size_t(p) * at.groups + g;
    const float total = sum<metric>(at.features + own * at.size, at.features + above * at.size, at.size);
    if (metric == COSINE) {
      const double lengths = clamped(norms[own], at.smallest_norm) * clamped(norms[above], at.smallest_norm);
      distance[own] = float(-double(total) / lengths);
    } else {
      distance[own] = total;
    }
  });
}

template <Metric metric>
static void add_gradients(const Groups& at, const float* dy, float* dfeatures, const double* norms) {
  for_groups(at, [&](int v, int p, int g) {
    const size_t own = size_t(v) * at.groups + g, above = size_t(p) * at.groups + g;
    const auto end = [&](size_t group) -> End {
      return {at.features + group * at.size, dfeatures + group * at.size, metric == COSINE ? norms[group] : 0};
    };
    add_slopes<metric>(end(own), end(above), at.size, dy[own], at.smallest_norm);
  });
}

EXPORT void parent_dissimilarity(const float* features,  // [B, V, C]
                                 const int32_t* order,   // [B, V] vertex ids in breadth-first order
                                 const int32_t* parent,  // [B, V] positions in `order`
                                 float* distance,        // [B, V, G], the result
                                 double* norms,          // [V, G] scratch, used by the cosine
                                 int batch,              // B
                                 int vertices,           // V
                                 int groups,             // G
                                 int size,               // C / G
                                 int metric,             // a Metric
                                 double smallest_norm    // norms are clamped here
) {
  for (int b = 0; b < batch; b++) {
    const int first = b * vertices;
    const Groups at = {features, order + first, parent + first, vertices, groups, size, smallest_norm};
    if (metric == COSINE) measure_norms(at, norms);
    if (metric == COSINE) measure<COSINE>(at, distance, norms);
    if (metric == EUCLIDEAN) measure<EUCLIDEAN>(at, distance, norms);
    if (metric == MANHATTAN) measure<MANHATTAN>(at, distance, norms);
    features += vertices * at.channels();
    distance += size_t(vertices) * groups;
  }
}

EXPORT void parent_dissimilarity_gradient(const float* features,  // [B, V, C]
                                          const int32_t* order,   // [B, V] vertex ids in breadth-first order
                                          const int32_t* parent,  // [B, V] positions in `order`
                                          const float* dy,        // [B, V, G]
                                          float* dfeatures,       // [B, V, C], the result
                                          double* norms,          // [V, G] scratch, used by the cosine
                                          int batch,              // B
                                          int vertices,           // V
                                          int groups,             // G
                                          int size,               // C / G
                                          int metric,             // a Metric
                                          double smallest_norm    // norms are clamped here
) {
  for (int b = 0; b < batch; b++) {
    const int first = b * vertices;
    const Groups at = {features, order + first, parent + first, vertices, groups, size, smallest_norm};
    for_channels(dfeatures, int(vertices * at.channels()), [](int, int) { return zero(); });
    if (metric == COSINE) measure_norms(at, norms);
    if (metric == COSINE) add_gradients<COSINE>(at, dy, dfeatures, norms);
    if (metric == EUCLIDEAN) add_gradients<EUCLIDEAN>(at, dy, dfeatures, norms);
    if (metric == MANHATTAN) add_gradients<MANHATTAN>(at, dy, dfeatures, norms);
    features += vertices * at.channels();
    dfeatures += vertices * at.channels();
    dy += size_t(vertices) * groups;
  }
}
