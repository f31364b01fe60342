/**
 * Low-rank updates of a language model's matrices (E. Hu et al., "LoRA", 2021, section 4.1): W + scaling * B A. They are
 * attached to a model at run time: the updated matrices are held beside the model's own weights, which do not change.
 */
import { add, matMul, mul, type NamedTensorMap, type Tensor, tensor2d, tidy } from '@tensorflow/tfjs-core';
import type { TopologyNode } from '../torch_layout.js';
import { quote } from './checks.js';

/** The update of one module. */
export interface LowRank {
  /** Its name in the PyTorch model, such as `backbone.layers.0.mixer.in_proj`. */
  readonly module: string;
  /** Whether the module is an embedding. Its product is transposed: A is [rank, vocabulary], B [hidden, rank]. */
  readonly isEmbedding: boolean;
  /** Factor of the product. */
  readonly scaling: number;
  /** A [rank, inputs], row-major. */
  readonly a: Matrix;
  /** B [outputs, rank], row-major. */
  readonly b: Matrix;
}

interface Matrix {
  readonly shape: readonly [rows: number, columns: number];
  readonly values: Float32Array;
}

/** The values of an adapter, as returned by `readAdapter` of `tfjs-grootvl/converters`. */
export interface Adapter {
  readonly modules: readonly LowRank[];
}

type Weights = Readonly<Record<string, readonly Tensor[]>>;

const weightOf = (module: string) => `${module}.weight`;
/** The embeddings are updated separately from an output head that is tied to them. */
const embeddingsOf = (module: string) => `${module}.weight/adapted`;

/**
 * Computes the updated matrices, by the names of their nodes; the caller disposes of them.
 * @throws {Error} if the adapter updates a module that the model does not have, or has other sizes.
 */
export function adaptedWeights(weights: Weights, { modules }: Adapter): NamedTensorMap {
  for (const each of modules) checkModule(weights, each);
  return tidy(() =>
    Object.fromEntries(
      modules.map(({ module, isEmbedding, scaling, a, b }) => {
        const [left, right] = [a, b].map(({ values, shape }) => tensor2d(values, [...shape]));
        // Matrices of a graph are the transposes of PyTorch's; for embeddings the two transpositions cancel.
        const product = isEmbedding ? matMul(right, left) : matMul(left, right, true, true);
        const name = isEmbedding ? embeddingsOf(module) : weightOf(module);
        return [name, add(weights[weightOf(module)][0], mul(product, scaling))];
      }),
    ),
  );
}

function checkModule(weights: Weights, { module, isEmbedding, a, b }: LowRank): void {
  const matrix = Object.hasOwn(weights, weightOf(module)) ? weights[weightOf(module)][0] : undefined;
  if (matrix?.shape.length !== 2) {
    throw new Error(`the adapter changes ${quote(module)}, which the model does not have`);
  }
  const [rows, columns] = matrix.shape;
  const [inputs, outputs] = isEmbedding ? [columns, rows] : [rows, columns];
  const [rank] = a.shape;
  if (rank >= 1 && `${a.shape}` === `${[rank, inputs]}` && `${b.shape}` === `${[outputs, rank]}`) return;
  throw new Error(
    `the adapter's A and B for ${quote(module)} are [${a.shape.join(', ')}] and [${b.shape.join(', ')}], ` +
      `expected [r, ${inputs}] and [${outputs}, r]`,
  );
}

/** Returns the nodes of a graph in which updated embeddings are read from a separate constant. */
export function withAdaptedEmbeddings(nodes: readonly TopologyNode[], { modules }: Adapter): TopologyNode[] {
  const names = new Map(
    modules
      .filter(({ isEmbedding }) => isEmbedding)
      .map(({ module }) => [weightOf(module), embeddingsOf(module)]),
  );
  return nodes.flatMap((node): TopologyNode[] => {
    const own = names.get(node.name);
    if (own !== undefined) return [node, { ...node, name: own }];
    if (node.op !== 'TokenEmbedding') return [node];
    return [{ ...node, input: node.input?.map((input) => names.get(input) ?? input) }];
  });
}
