/** A converted checkpoint on the backend under test. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import {
  dispose,
  engine,
  getBackend,
  getGradient,
  getKernel,
  io,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import { convertCheckpoint } from '../../converters/convert.js';
import { MemorySink } from '../../converters/graph/model_sink.js';
import { NotSupported } from '../backend.js';
import { type CaseTensor, float32 } from '../case.js';
import type { CaseSource } from '../source.js';
import { readTensor, toTensor } from '../tfjs_backend.js';
import { type BatchOfTrees, gridEdges } from './tree_cases.js';

/** Converts once, however many backends run it. */
export class CheckpointUnderTest {
  private artifacts: Promise<io.ModelArtifacts> | undefined;

  constructor(
    private readonly source: CaseSource,
    readonly path: string,
    private readonly weights?: 'model' | 'model_ema',
  ) {}

  /** Loads the model on the current backend, calls back and disposes it. @throws {Error} when it cannot be converted */
  async use<T>(body: (model: ModelUnderTest) => Promise<T>): Promise<T> {
    this.artifacts ??= this.convert();
    const artifacts = await this.artifacts;
    const model = await loadGraphModel(io.fromMemory(artifacts));
    const { node } = artifacts.modelTopology as { node: { name: string }[] };
    try {
      return await body(new ModelUnderTest(model, new Set(node.map(({ name }) => name))));
    } finally {
      model.dispose();
    }
  }

  private async convert(): Promise<io.ModelArtifacts> {
    const sink = new MemorySink();
    await convertCheckpoint(await this.source.open(this.path), sink, { weights: this.weights });
    return sink.artifacts() as io.ModelArtifacts;
  }
}

export type Feeds = Readonly<Record<string, CaseTensor>>;

/** Pins the trees of the first blocks. */
export function treeFeeds(trees: readonly BatchOfTrees[]): Feeds {
  return Object.fromEntries(
    trees.flatMap(({ order, parent }, i) => [
      [`blocks_${i}/order`, order],
      [`blocks_${i}/parent`, parent],
    ]),
  );
}

/** Kernels of tfjs that the gradients of convolutions need; not every backend of tfjs has them. */
const GRADIENT_KERNELS = [
  'Conv2DBackpropInput',
  'Conv2DBackpropFilter',
  'DepthwiseConv2dNativeBackpropInput',
  'DepthwiseConv2dNativeBackpropFilter',
];

export class ModelUnderTest {
  /** Channels of the first level. */
  readonly channels: number;
  private readonly depths: readonly number[];

  constructor(
    private readonly model: GraphModel,
    private readonly nodes: ReadonlySet<string>,
  ) {
    const metadata = model.metadata as { architecture: { channels: number; depths: number[] } } | undefined;
    this.channels = metadata?.architecture.channels ?? 0;
    this.depths = metadata?.architecture.depths ?? [];
  }

  /** Blocks of all levels. */
  get blocks(): number {
    return this.depths.reduce((total, depth) => total + depth, 0);
  }

  has(node: string): boolean {
    return this.nodes.has(node);
  }

  /** The edges of a block's grid, for images [N, H, W, 3]: every stride of 2 halves, and rounds up. */
  edgesOf(block: number, [, height, width]: readonly number[]): Int32Array {
    let level = 0;
    for (let first = this.depths[0]; first <= block; first += this.depths[level]) level++;
    const halved = (extent: number) => {
      let size = extent;
      for (let stride = 0; stride < level + 2; stride++) size = Math.ceil(size / 2);
      return size;
    };
    return gridEdges(halved(height), halved(width)).values as Int32Array;
  }

  /** Values of some nodes. */
  async run(feeds: Feeds, nodes: readonly string[]): Promise<Map<string, CaseTensor>> {
    const inputs = toTensors(feeds);
    try {
      const results = tidy(() => [this.model.execute(inputs, [...nodes])].flat());
      const values = new Map<string, CaseTensor>();
      for (const [i, node] of nodes.entries()) values.set(node, await readTensor(results[i]));
      dispose(results);
      return values;
    } finally {
      dispose(inputs);
    }
  }

  /** Gradients of sum(dy * logits) in the node `normalized` and in named weights, in the layout of the weights. */
  async gradients(
    feeds: Feeds,
    dy: CaseTensor,
    weights: readonly string[],
  ): Promise<{ image: CaseTensor; weights: Map<string, CaseTensor> }> {
    if (!getGradient('Conv2D')) {
      throw new NotSupported("the gradients of tfjs's own ops are not registered: import @tensorflow/tfjs");
    }
    for (const kernel of GRADIENT_KERNELS) {
      // Asked for before: tfjs would leave the whole tape behind when it finds out half-way.
      if (!getKernel(kernel, getBackend())) {
        throw new NotSupported(`tfjs has no kernel ${kernel} for its backend '${getBackend()}'`);
      }
    }
    const inputs = toTensors(feeds);
    const upstream = toTensor(dy);
    const parts = weights.map((name) => this.constantsOf(name));
    const constants = parts.flat();
    const grads = tidy(() => {
      const forward = () => this.model.execute(inputs, 'logits') as Tensor;
      return engine().gradients(forward, [inputs.normalized, ...constants], upstream).grads;
    });
    const [image, ...values] = await Promise.all(grads.map(readTensor));
    dispose([inputs, upstream, grads]);
    const remaining = [...values];
    const merged = parts.map((part) => sideBySide(remaining.splice(0, part.length)));
    return { image, weights: new Map(weights.map((name, i) => [name, merged[i]])) };
  }

  /** The constant that holds a parameter, or those that hold its parts `<parameter>/<part>`, in order. */
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

/** Matrices [I, O1], [I, O2], ... as one [I, O1 + O2 + ...]. */
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

/** A PyTorch parameter in the layout of the converted model's constant of the given shape. */
export function inConstantLayout(parameter: CaseTensor, shape: readonly number[]): ArrayLike<number> {
  const given = parameter.shape;
  const source = parameter.values;
  if (shape.length === 4) {
    // [O, I, H, W] -> [H, W, I, O]; depthwise [C, 1, H, W] -> [H, W, C, 1]: there I and O change places.
    const [height, width, inner, outer] = shape;
    const depthwise = outer === 1 && given[1] === 1;
    return Float64Array.from(source, (_, i) => {
      const o = i % outer;
      const n = Math.floor(i / outer) % inner;
      const tap = Math.floor(i / outer / inner);
      const row = depthwise ? n : o * inner + n;
      return source[row * height * width + tap];
    });
  }
  if (
    shape.length === 2 &&
    given.length >= 2 &&
    !(given.length === 2 && given.join() === shape.join() && shape[1] === 1)
  ) {
    const [inputs, outputs] = shape;
    return Float64Array.from(source, (_, i) => source[(i % outputs) * inputs + Math.floor(i / outputs)]);
  }
  return source;
}
