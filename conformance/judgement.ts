/** What a case came to. */
import type { Bound } from '../plugin/ops/spec/bound.js';
import type { Figures } from './measure.js';

export type Verdict = 'pass' | 'tie-flip' | 'fail' | 'skip';

/** A tree that differs from its reference, for the report to draw. Edges are pairs of vertex ids. */
export interface TreePair {
  readonly numVertices: number;
  /** Set when the graph is a grid: vertex v lies at (v % width, floor(v / width)). */
  readonly width?: number;
  readonly expected: readonly (readonly [number, number])[];
  readonly given: readonly (readonly [number, number])[];
  readonly caption: string;
}

/** What a case came to on a backend. */
export interface Judgement {
  readonly verdict: Verdict;
  /** One line. Empty for a pass without anything to say. */
  readonly reason: string;
  /** Figures of the comparison that came closest to its bound, or went furthest over it. */
  readonly figures?: Figures;
  readonly bound?: Bound;
  /** Tensor to which the figures belong. */
  readonly tensor?: string;
  /** How far a flipped tree is from minimal, in weight. */
  readonly margin?: number;
  readonly trees?: readonly TreePair[];
  /** Of the results: see `digestOf`. */
  readonly bits?: string;
}
