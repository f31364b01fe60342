/** Faults of tree scans and their gradients. */
import type { HostKernelFunction } from '../backend.js';
import { CORRECT_KERNELS, forEachItem, TREE_INPUTS } from './correct_kernels.js';
import { type Arguments, after, before, type Fault, flushed, mapped, toFloat16Precision } from './fault.js';

const scan = (name: string, kernel: Fault['kernel']): Fault => ({ name, op: 'TreeScan', kernel });
const gradient = (name: string, kernel: Fault['kernel']): Fault => ({ name, op: 'TreeScanGradient', kernel });

/** Both passes as a kernel runs them, with a hook at each edge. */
function passes(edges: {
  /** Whether the child at a position counts for its parent. */
  readonly counts?: (position: number, parent: Int32Array) => boolean;
  readonly down?: (own: number, decay: number, parent: number) => number;
  readonly channels?: (channels: number) => number;
}): () => HostKernelFunction {
  const { counts = () => true, down = (own, w, p) => own + w * (p - w * own), channels = (d) => d } = edges;
  return () => (args) =>
    forEachItem(args, TREE_INPUTS, (input, output) => {
      const [order, parent] = [input('order') as Int32Array, input('parent') as Int32Array];
      const [y, decay, width] = [output('y'), input('decay'), args.shapes.x[2]];
      y.set(input('x'));
      const visit = (i: number, each: (v: number, p: number) => void) => {
        for (let d = 0; d < channels(width); d++) each(order[i] * width + d, order[parent[i]] * width + d);
      };
      for (let i = order.length - 1; i > 0; i--) {
        if (counts(i, parent)) visit(i, (v, p) => (y[p] += decay[v] * y[v]));
      }
      if (args.attributes.aggregate !== 'all') return;
      for (let i = 1; i < order.length; i++) visit(i, (v, p) => (y[v] = down(y[v], decay[v], y[p])));
    });
}

/** A kernel that hands out what it computed the last time for an output of the same size. */
function stale(): HostKernelFunction {
  const kept = new Map<number, Float32Array>();
  return (args) => {
    CORRECT_KERNELS.TreeScan(args);
    const y = args.outputs.y as Float32Array;
    const fresh = y.slice();
    y.set(kept.get(y.length) ?? y);
    kept.set(y.length, fresh);
  };
}

/** A kernel that adds to a buffer that it does not clear. */
function uncleared(): HostKernelFunction {
  const kept = new Map<number, Float32Array>();
  return (args) => {
    CORRECT_KERNELS.TreeScan(args);
    const y = args.outputs.y as Float32Array;
    const old = kept.get(y.length);
    if (old) y.set(y.map((value, i) => value + old[i]));
    kept.set(y.length, y.slice());
  };
}

const withAggregate = (op: string, aggregate: string) =>
  before(op, ({ attributes }) => ({ attributes: { ...attributes, aggregate } }));

const isRoot = (i: number, { inputs, shapes }: Arguments) => {
  const [, numVertices, channels] = shapes.x;
  const b = Math.floor(i / (numVertices * channels));
  return Math.floor(i / channels) % numVertices === inputs.order[b * numVertices];
};

export const SCAN_FAULTS: readonly Fault[] = [
  scan(
    'the root’s decay is used',
    after('TreeScan', (args) =>
      args.outputs.y.forEach((y, i) => {
        if (isRoot(i, args)) args.outputs.y[i] = y * args.inputs.decay[i];
      }),
    ),
  ),
  scan(
    'the range of children ends one too early',
    passes({ counts: (i, parent) => parent[i] === parent[i - 1] || parent[i] !== parent[i + 1] }),
  ),
  scan('the last vertex is left out', passes({ counts: (i, parent) => i !== parent.length - 1 })),
  scan('the last channel is missing', passes({ channels: (d) => d - 1 })),
  scan('channels beyond a multiple of four are missing', passes({ channels: (d) => d - (d % 4) })),
  scan('the down pass keeps what came from the vertex itself', passes({ down: (own, w, p) => own + w * p })),
  scan('the down pass squares no decay', passes({ down: (own, w, p) => (1 - w) * own + w * p })),
  scan('the down pass is missing', withAggregate('TreeScan', 'root')),
  scan('the mode is always all', withAggregate('TreeScan', 'all')),
  scan('decays are rounded to float16', mapped('TreeScan', 'decay', toFloat16Precision)),
  scan(
    'decays are clamped from below at 0',
    mapped('TreeScan', 'decay', (w) => Math.max(0, w)),
  ),
  scan(
    'decays are clamped from above at 0.9999',
    mapped('TreeScan', 'decay', (w) => Math.min(0.9999, w)),
  ),
  scan('denormals become 0', mapped('TreeScan', 'x', flushed)),
  scan(
    'values overflow float16',
    mapped('TreeScan', 'x', (x) => Math.max(-65504, Math.min(65504, x))),
  ),
  scan(
    'the decay of the next vertex is used',
    mapped(
      'TreeScan',
      'decay',
      (_, i, { inputs: { decay }, shapes }) => decay[(i + shapes.x[2]) % decay.length],
    ),
  ),
  scan(
    'every item of a batch has the first one’s decays',
    mapped(
      'TreeScan',
      'decay',
      (_, i, { inputs: { decay }, shapes }) => decay[i % (shapes.x[1] * shapes.x[2])],
    ),
  ),
  scan(
    'every item of a batch has the first one’s tree',
    before('TreeScan', ({ inputs, shapes }) => {
      const first = (name: string) => inputs[name].map((_, i) => inputs[name][i % shapes.x[1]]);
      return { inputs: { ...inputs, order: first('order'), parent: first('parent') } };
    }),
  ),
  scan(
    'x is taken by position, not by vertex',
    mapped('TreeScan', 'x', (_, i, { inputs: { x, order }, shapes }) => {
      const [, numVertices, channels] = shapes.x;
      const row = Math.floor(i / channels);
      return x[(row - (row % numVertices) + order[row]) * channels + (i % channels)];
    }),
  ),
  scan('the output buffer of the call before is returned', stale),
  scan('the output buffer is not cleared', uncleared),
  gradient(
    'the gradient of the decay has the wrong sign',
    after('TreeScanGradient', ({ outputs: { ddecay } }) => ddecay.set(ddecay.map((g) => -g))),
  ),
  gradient(
    'the root’s decay has a gradient',
    after('TreeScanGradient', (args) =>
      args.outputs.ddecay.forEach((_, i) => {
        if (isRoot(i, args)) args.outputs.ddecay[i] = args.inputs.x[i];
      }),
    ),
  ),
  gradient(
    'the gradients are swapped',
    after('TreeScanGradient', ({ outputs: { dx, ddecay } }) => {
      const kept = dx.slice();
      dx.set(ddecay);
      ddecay.set(kept);
    }),
  ),
  gradient('the gradient is that of the root mode', withAggregate('TreeScanGradient', 'root')),
  gradient('half of the gradient of the decay is missing', () => (args) => {
    CORRECT_KERNELS.TreeScanGradient(args);
    args.outputs.ddecay.set(args.outputs.ddecay.map((g) => g / 2));
  }),
  gradient(
    'the gradient of x is what came in',
    after('TreeScanGradient', ({ inputs, outputs }) => outputs.dx.set(inputs.dy)),
  ),
  gradient('dy is rounded to float16', mapped('TreeScanGradient', 'dy', toFloat16Precision)),
];
