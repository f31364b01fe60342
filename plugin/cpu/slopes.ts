/**
 * Derivatives of the distance of two vectors with respect to both, shared by the gradients along edges. In float64.
 *
 * With u and v the vectors, |.| their norms, at least 1e-8, and dy the gradient of the distance, the gradient of u is (for v
 * swap both):
 *   euclidean: 2 dy (u - v).  manhattan: dy sign(u - v), sign(0) = 0.
 *   cosine: -dy (v / (|u| |v|) - u (u.v) / (|u|^3 |v|)), the second term only if the norm of u is not clamped; 0 if the norm
 *   is 0.
 */
import { type Metric, SMALLEST_NORM } from '../ops/edge_dissimilarity.js';

/** An edge between two rows of features. */
interface Edge {
  readonly features: ArrayLike<number>;
  /** Indices of the first channel of each. */
  readonly u: number;
  readonly v: number;
  /** Number of channels. */
  readonly size: number;
  readonly dy: number;
  readonly metric: Metric;
}

/**
 * Adds the gradients of both ends of an edge.
 * @param sums of the shape of the features
 */
export function addSlopes(sums: Float64Array, { features, u, v, size, dy, metric }: Edge): void {
  if (metric === 'cosine') {
    const { dot, normOfU, normOfV } = cosineOf(features, u, v, size);
    const scale = dy / (clamped(normOfU) * clamped(normOfV));
    const addTo = (own: number, norm: number, other: number) => {
      if (norm === 0) return;
      const along = norm > SMALLEST_NORM ? dot / (norm * norm) : 0;
      for (let i = 0; i < size; i++)
        sums[own + i] -= scale * (features[other + i] - features[own + i] * along);
    };
    addTo(u, normOfU, v);
    addTo(v, normOfV, u);
    return;
  }
  for (let i = 0; i < size; i++) {
    const gap = features[u + i] - features[v + i];
    const slope = dy * (metric === 'euclidean' ? 2 * gap : Math.sign(gap));
    sums[u + i] += slope;
    sums[v + i] -= slope;
  }
}

export const clamped = (norm: number): number => Math.max(SMALLEST_NORM, norm);

export function cosineOf(features: ArrayLike<number>, u: number, v: number, size: number) {
  let [dot, squaresOfU, squaresOfV] = [0, 0, 0];
  for (let i = 0; i < size; i++) {
    const [a, b] = [features[u + i], features[v + i]];
    dot += a * b;
    squaresOfU += a * a;
    squaresOfV += b * b;
  }
  return { dot, normOfU: Math.sqrt(squaresOfU), normOfV: Math.sqrt(squaresOfV) };
}
