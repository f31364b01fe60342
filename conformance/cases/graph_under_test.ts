/** A converted graph on the backend under test: values of its nodes, and gradients. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { dispose, engine, getGradient, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { runGraph } from '../../plugin/models/image_model.js';
import { NotSupported } from '../backend.js';
import { type CaseTensor, float32 } from '../case.js';
import { readTensor, toTensor } from '../tfjs_backend.js';

/** Values by node name. */
export type Feeds = Readonly<Record<string, CaseTensor>>;

export class GraphUnderTest {
  constructor(
    readonly model: GraphModel,
    private readonly nodes: ReadonlySet<string>,
  ) {}

  has(node: string): boolean {
    return this.nodes.has(node);
  }

  /** Values of the given nodes. */
  async run(feeds: Feeds, nodes: readonly string[]): Promise<Map<string, CaseTensor>> {
    const inputs = toTensors(feeds);
    try {
      const results = await runGraph(this.model, inputs, [...nodes]);
      const values = new Map<string, CaseTensor>();
      for (const [i, node] of nodes.entries()) values.set(node, await readTensor(results[i]));
      dispose(results);
      return values;
    } finally {
      dispose(inputs);
    }
  }

  /**
   * Gradients of sum(dy * node `of`) with respect to fed nodes and named weights, in the layout of the weights.
   * @throws {NotSupported} if tfjs's gradients are not registered
   */
  async gradientsOf(
    of: string,
    dy: CaseTensor,
    feeds: Feeds,
    inNodes: readonly string[],
    inWeights: readonly string[],
  ): Promise<Map<string, CaseTensor>> {
    if (!getGradient('BatchMatMul')) {
      throw new NotSupported("the gradients of tfjs's own ops are not registered: import @tensorflow/tfjs");
    }
    const inputs = toTensors(feeds);
    const upstream = toTensor(dy);
    try {
      const parts = inWeights.map((name) => this.constantsOf(name));
      const variables = [...inNodes.map((node) => inputs[node]), ...parts.flat()];
      const gradients = tidy(() => {
        const forward = () => this.model.execute(inputs, of) as Tensor;
        return engine().gradients(forward, variables, upstream).grads;
      });
      const values = await Promise.all(gradients.map(readTensor));
      dispose(gradients);
      const found = new Map(inNodes.map((node) => [node, values.shift() as CaseTensor]));
      for (const [i, name] of inWeights.entries())
        found.set(name, sideBySide(values.splice(0, parts[i].length)));
      return found;
    } finally {
      dispose([inputs, upstream]);
    }
  }

  /** Values of a parameter in the layout of the graph. @throws {Error} if the graph does not have it */
  async weight(parameter: string): Promise<CaseTensor> {
    return sideBySide(await Promise.all(this.constantsOf(parameter).map(readTensor)));
  }

  /** The constant that holds a parameter, or those of its parts `<parameter>/<part>`, in order. */
  private constantsOf(parameter: string): Tensor[] {
    const { weights } = this.model;
    const names = weights[parameter]
      ? [parameter]
      : Object.keys(weights).filter((name) => name.startsWith(`${parameter}/`));
    if (names.length === 0) throw new Error(`the converted model has no weight ${parameter}`);
    return names.map((name) => weights[name][0]);
  }
}

function toTensors(feeds: Feeds): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, toTensor(value)]));
}

/** Concatenates matrices [I, O1], [I, O2], ... to [I, O1 + O2 + ...]. */
function sideBySide(parts: readonly CaseTensor[]): CaseTensor {
  if (parts.length === 1) return parts[0];
  const rows = parts[0].shape[0];
  const columns = parts.map(({ shape }) => shape[1]);
  const width = columns.reduce((total, count) => total + count, 0);
  const merged = float32([rows, width], new Float32Array(rows * width));
  let first = 0;
  for (const [i, { values }] of parts.entries()) {
    for (let row = 0; row < rows; row++) {
      merged.values.set(values.subarray(row * columns[i], (row + 1) * columns[i]), row * width + first);
    }
    first += columns[i];
  }
  return merged;
}

/** The rates of a state-space model, [D, N], are in PyTorch's layout; all other matrices are transposed. */
const AS_STORED = /\bA_logs?$/;

/** A PyTorch parameter in the layout of the converted model's constant of the given shape. */
export function inConstantLayout(
  name: string,
  { shape: given, values: source }: CaseTensor,
  shape: readonly number[],
): ArrayLike<number> {
  if (shape.length === 4) {
    // [O, I, H, W] -> [H, W, I, O]; depthwise [C, 1, H, W] -> [H, W, C, 1], where I and O are swapped.
    const [height, width, inner, outer] = shape;
    const depthwise = outer === 1 && given[1] === 1;
    return Float64Array.from(source, (_, i) => {
      const o = i % outer;
      const n = Math.floor(i / outer) % inner;
      const pixel = Math.floor(i / outer / inner);
      const row = depthwise ? n : o * inner + n;
      return source[row * height * width + pixel];
    });
  }
  if (shape.length === 2 && given.length >= 2 && !AS_STORED.test(name)) {
    const [inputs, outputs] = shape;
    return Float64Array.from(source, (_, i) => source[(i % outputs) * inputs + Math.floor(i / outputs)]);
  }
  return source;
}
