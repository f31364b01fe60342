/** The result of a case. */
import type { Bound } from '../plugin/ops/spec/bound.js';
import type { Figures } from './measure.js';

export type Verdict = 'pass' | 'tie-flip' | 'fail' | 'skip';

/** A tree that differs from its reference, to be drawn in the report. Edges are pairs of vertex ids. */
export interface TreePair {
  readonly numVertices: number;
  /** Set if the graph is a grid: vertex v is at (v % width, floor(v / width)). */
  readonly width?: number;
  readonly expected: readonly (readonly [number, number])[];
  readonly given: readonly (readonly [number, number])[];
  readonly caption: string;
}

/** The result of a case on a backend. */
export interface Judgement {
  readonly verdict: Verdict;
  /** One line. Empty for a pass without remarks. */
  readonly reason: string;
  /** Figures of the comparison that came closest to its bound, or exceeded it most. */
  readonly figures?: Figures;
  readonly bound?: Bound;
  /** Tensor that the figures belong to. */
  readonly tensor?: string;
  /** How far a flipped tree is from minimal, in weight. */
  readonly margin?: number;
  readonly trees?: readonly TreePair[];
  /** Digest of the results: see `digestOf`. */
  readonly bits?: string;
}
