/** Edge weights: in float64, and in float32 in the order of summation that the op declares. */

export type Metric = 'cosine' | 'euclidean' | 'manhattan';

const SMALLEST_NORM = 1e-8;

/** [V, D] features of one graph -> [E] weights, in float64. */
export function edgeWeights(
  features: ArrayLike<number>,
  edges: ArrayLike<number>,
  channels: number,
  metric: Metric,
): Float64Array {
  return Float64Array.from({ length: edges.length / 2 }, (_, e) => {
    const [u, v] = [edges[2 * e] * channels, edges[2 * e + 1] * channels];
    let [dot, uu, vv, euclidean, manhattan] = [0, 0, 0, 0, 0];
    for (let d = 0; d < channels; d++) {
      const [a, b] = [features[u + d], features[v + d]];
      dot += a * b;
      uu += a * a;
      vv += b * b;
      euclidean += (a - b) ** 2;
      manhattan += Math.abs(a - b);
    }
    if (metric === 'euclidean') return euclidean;
    if (metric === 'manhattan') return manhattan;
    return -dot / Math.max(Math.sqrt(uu), SMALLEST_NORM) / Math.max(Math.sqrt(vv), SMALLEST_NORM);
  });
}

/**
 * The same with sums in float32, bit for bit what the op promises: term d goes to partial sum d mod 8, and the eight are added
 * as ((0+4)+(2+6))+((1+5)+(3+7)), every product and sum rounded. The cosine is finished in float64 and rounded once.
 */
export function edgeWeightsInFloat32(
  features: ArrayLike<number>,
  edges: ArrayLike<number>,
  channels: number,
  metric: Metric,
): Float32Array {
  const r = Math.fround;
  const sum = (term: (d: number) => number): number => {
    const s = new Array<number>(8).fill(0);
    for (let d = 0; d < channels; d++) s[d & 7] = r(s[d & 7] + r(term(d)));
    const half = s.slice(0, 4).map((x, i) => r(x + s[i + 4]));
    return r(r(half[0] + half[2]) + r(half[1] + half[3]));
  };
  const norm = (at: number) =>
    Math.max(SMALLEST_NORM, Math.sqrt(sum((d) => features[at + d] * features[at + d])));
  return Float32Array.from({ length: edges.length / 2 }, (_, e) => {
    const [u, v] = [edges[2 * e] * channels, edges[2 * e + 1] * channels];
    const gap = (d: number) => r(features[u + d] - features[v + d]);
    if (metric === 'euclidean') return sum((d) => gap(d) * gap(d));
    if (metric === 'manhattan') return sum((d) => Math.abs(gap(d)));
    return -sum((d) => features[u + d] * features[v + d]) / (norm(u) * norm(v));
  });
}
