/** Every op of this package. A new op is a file beside this one and a line here. */
import { Gelu, Silu } from './activations.js';
import { BoruvkaMST } from './boruvka_mst.js';
import { Discretize } from './discretize.js';
import { EdgeDissimilarity } from './edge_dissimilarity.js';
import { FlattenGrid, GridGraph, UnflattenGrid } from './grid.js';
import { LayerNormalization } from './layer_normalization.js';
import { Linear } from './linear.js';
import type { OpDeclaration } from './op.js';
import { SelectiveSplit } from './selective_split.js';
import { StateReadout } from './state_readout.js';
import { TreeScan, TreeScanGradient } from './tree_scan.js';

export const OPS: readonly OpDeclaration[] = [
  EdgeDissimilarity,
  BoruvkaMST,
  TreeScan,
  TreeScanGradient,
  LayerNormalization,
  Gelu,
  Silu,
  SelectiveSplit,
  Discretize,
  StateReadout,
  Linear,
  GridGraph,
  FlattenGrid,
  UnflattenGrid,
];
