/** `mst_*` files: a graph, its weights, and the reference's minimum spanning trees. */

import { boruvkaMSTSpec } from '../../plugin/ops/boruvka_mst.spec.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { type CaseTensor, type ConformanceCase, int32, type OpCase } from '../case.js';
import { outputsCase } from '../spec_cases.js';
import { type CaseFile, LayoutError } from './case_file.js';
import { checkEdges, sameEdges } from './tree_cases.js';

export function isMstFile(file: CaseFile): boolean {
  return file.has('edges', 'weights', 'num_vertices');
}

export function mstFileCases(file: CaseFile): ConformanceCase[] {
  const chosen = ['tree_edge_index_sorted', 'tree_edge_index'].filter((name) => file.has(name));
  return [
    mstCase({
      name: file.name,
      weights: file.input('weights', 2),
      edges: file.ints('edges', 2),
      numVertices: file.ints('num_vertices').values[0],
      chosen: chosen.map((name) => ({ from: name, index: file.ints(name) })),
      treeEdges: file.has('tree_edges') ? file.ints('tree_edges', 3) : undefined,
      totalWeight: file.metadata.get('total_weight'),
    }),
  ];
}

export interface MstSource {
  readonly name: string;
  readonly weights: CaseTensor;
  readonly edges: CaseTensor;
  readonly numVertices: number;
  /** Chosen edges according to the file, in any order. */
  readonly chosen?: readonly { readonly from: string; readonly index: CaseTensor }[];
  /** [B, V-1, 2] */
  readonly treeEdges?: CaseTensor;
  /** JSON list of the sums of the chosen weights. */
  readonly totalWeight?: string;
}

/** A case of the op: exactly the tree of Kruskal's algorithm, and the file's values. */
export function mstCase(source: MstSource): OpCase {
  const { name, weights, edges, numVertices, chosen = [], treeEdges, totalWeight } = source;
  if (!(numVertices >= 1 && edges.shape[0] >= numVertices - 1)) {
    throw new Error(`${edges.shape[0]} edges connect no graph of ${numVertices} vertices`);
  }
  checkEdges(edges, numVertices);
  if (weights.shape[1] !== edges.shape[0]) {
    throw new LayoutError(
      `weights [${weights.shape}] of ${edges.shape[0]} edges, expected [B, ${edges.shape[0]}]`,
    );
  }
  const batch = weights.shape[0];
  if (weights.shape[0] === 0) throw new LayoutError('the batch is empty: there is nothing to compare');
  const weightRows = itemsOf(weights);
  const testCase = outputsCase(boruvkaMSTSpec, {
    name,
    inputs: { weights, edges },
    attributes: { numVertices },
  });
  const trees = itemsOf(testCase.references[0].tensor);
  const pairsOf = (index: ArrayLike<number>) =>
    Array.from(index).flatMap((e) => [edges.values[2 * e], edges.values[2 * e + 1]]);
  const stored = chosen.map(({ from, index }) => ({
    of: 'edgeIndex',
    from,
    tensor: int32(
      index.shape,
      itemsOf(index).flatMap((row) => Array.from(row).sort((a, b) => a - b)),
    ),
  }));
  return { ...testCase, references: [...testCase.references, ...stored], contradiction: check() };

  function check(): string | undefined {
    if (treeEdges && treeEdges.shape[0] !== batch) {
      return `the file contradicts itself: tree_edges of ${treeEdges.shape[0]} items, weights of ${batch}`;
    }
    if (treeEdges && itemsOf(treeEdges).some((row, b) => !sameEdges(row, pairsOf(trees[b])))) {
      return 'the file contradicts the oracle: tree_edges are not the minimum spanning tree of its weights';
    }
    const totals: number[] = totalWeight ? JSON.parse(totalWeight) : [];
    for (const [b, total] of totals.entries()) {
      const sum = [...trees[b]].reduce((running, e) => running + weightRows[b][e], 0);
      if (Math.abs(sum - total) > 1e-9 * Math.max(1, Math.abs(total))) {
        return `the file contradicts the oracle: total_weight[${b}] is ${total}, the tree weighs ${sum}`;
      }
    }
    return undefined;
  }
}

/**
 * Whether a file holds many small graphs, `<name>.pairs`, `<name>.weight`, `<name>.mst_edge_index`, whose ties are broken by
 * index.
 */
export function isTiesFile(file: CaseFile): boolean {
  return graphsOf(file).length > 0;
}

export function tiesFileCases(file: CaseFile): ConformanceCase[] {
  return graphsOf(file).map((graph) => {
    const part = (name: string) => file.ints(`${graph}.${name}`);
    const one = (tensor: CaseTensor) => ({ ...tensor, shape: [1, ...tensor.shape] }) as CaseTensor;
    const index = part('mst_edge_index');
    return mstCase({
      name: `${file.name} ${graph}`,
      weights: one(file.input(`${graph}.weight`, 1)),
      edges: part('pairs'),
      numVertices: index.values.length + 1,
      chosen: [{ from: 'mst_edge_index', index: one(index) }],
      treeEdges: file.has(`${graph}.mst_edges`) ? one(file.ints(`${graph}.mst_edges`, 2)) : undefined,
    });
  });
}

function graphsOf(file: CaseFile): string[] {
  return file.names
    .filter((name) => name.endsWith('.pairs'))
    .map((name) => name.slice(0, -'.pairs'.length))
    .filter((graph) => file.has(`${graph}.weight`, `${graph}.mst_edge_index`));
}
