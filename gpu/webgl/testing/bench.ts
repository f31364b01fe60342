/**
 * What our ops and whole predictions cost on the GPU of the page: draws, read-backs and uploads, which are the same
 * on every device, and times, which are those of the renderer that is named with them. A software rasteriser's times
 * say nothing about a GPU, and are marked.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import {
  dispose,
  findBackend,
  grads,
  randomNormal,
  randomUniform,
  type Tensor,
  type TensorContainer,
} from '@tensorflow/tfjs-core';
import { gridGraph } from '../../../plugin/graphs.js';
import { gelu } from '../../../plugin/ops/activations.js';
import { boruvkaMST } from '../../../plugin/ops/boruvka_mst.js';
import { discretize } from '../../../plugin/ops/discretize.js';
import { edgeDissimilarity } from '../../../plugin/ops/edge_dissimilarity.js';
import { layerNormalization } from '../../../plugin/ops/layer_normalization.js';
import { stateReadout } from '../../../plugin/ops/state_readout.js';
import { treeScan } from '../../../plugin/ops/tree_scan.js';
import { getTreeBuilder, setTreeBuilder, type TreeBuilder } from '../boruvka_mst.js';
import { countGpuWork, type GpuCounts } from './measure.js';

/** One measurement. */
export interface GpuCost extends GpuCounts {
  readonly what: string;
  /** Median of several runs, until the GPU has done it. */
  readonly milliseconds: number;
}

export interface WebglBench {
  /** As the driver names itself. */
  readonly renderer: string;
  /** No GPU: the times are good for nothing but finding mistakes. */
  readonly isSoftware: boolean;
  readonly costs: readonly GpuCost[];
}

/** A size to measure at: grids of side x side vertices with this many channels. */
export interface Stage {
  readonly side: number;
  readonly channels: number;
  /** 1 by default. */
  readonly batch?: number;
}

/** The four stages of GrootV-T at 224 x 224. */
export const STAGES: readonly Stage[] = [
  { side: 56, channels: 160 },
  { side: 28, channels: 320 },
  { side: 14, channels: 640 },
  { side: 7, channels: 1280 },
];

const RUNS = 3;
const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;

function currentContext(): WebGL2RenderingContext {
  const backend = findBackend('webgl') as MathBackendWebGL | null;
  if (!backend) throw new Error("the backend 'webgl' was not started: tf.setBackend('webgl')");
  return backend.getGPGPUContext().gl as WebGL2RenderingContext;
}

/** The renderer's name, and whether it is software. */
export function describeRenderer(): { renderer: string; isSoftware: boolean } {
  const gl = currentContext();
  const names = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  return { renderer, isSoftware: SOFTWARE.test(renderer) };
}

/**
 * Measures one computation on the current backend, which must be `webgl`: once to compile and upload, once to count,
 * then to time. What it returns is disposed.
 */
export async function measureGpuCost(what: string, run: () => TensorContainer): Promise<GpuCost> {
  const gl = currentContext();
  const once = () => {
    const start = performance.now();
    dispose(run());
    // Draws are queued; one pixel of the last one comes when all are done.
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.FLOAT, new Float32Array(4));
    return performance.now() - start;
  };
  once();
  const { counts } = await countGpuWork(() => dispose(run()));
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) times.push(once());
  return { what, ...counts, milliseconds: times.sort((a, b) => a - b)[Math.floor(RUNS / 2)] };
}

/** Measures every op of ours at the given stages. The current backend must be `webgl`. */
export async function benchWebgl(stages: readonly Stage[] = STAGES): Promise<WebglBench> {
  const costs: GpuCost[] = [];
  for (const stage of stages) costs.push(...(await benchStage(stage)));
  return { ...describeRenderer(), costs };
}

/** A run with trees of either builder. */
function withBuilders(what: string, run: () => TensorContainer): Record<string, () => TensorContainer> {
  const made = (builder: TreeBuilder) => () => {
    const before = getTreeBuilder();
    setTreeBuilder(builder);
    try {
      return run();
    } finally {
      setTreeBuilder(before);
    }
  };
  return { [`${what}, host`]: made('host'), [`${what}, device`]: made('device') };
}

async function benchStage({ side, channels, batch = 1 }: Stage): Promise<GpuCost[]> {
  const numVertices = side * side;
  const shape = [batch, numVertices, channels];
  const edges = gridGraph(side, side);
  const [x, decay, dy, gate] = [
    randomNormal(shape),
    randomUniform(shape, 0, 1),
    randomNormal(shape),
    randomNormal([batch, numVertices, 1]),
  ];
  const [perChannel, states] = [randomNormal([channels]), randomNormal([channels, 1])];
  const choose = () => {
    const weights = edgeDissimilarity(x, edges);
    const tree = boruvkaMST(weights, edges, { numVertices });
    weights.dispose();
    return tree;
  };
  const tree = choose();
  const scan = (aggregate: 'all' | 'root') => (x: Tensor, decay: Tensor) =>
    treeScan(x, decay, tree, { aggregate });
  const runs: Record<string, () => TensorContainer> = {
    ...withBuilders('edge weights and tree', () => {
      const { edgeIndex, order, parent } = choose();
      return [edgeIndex, order, parent];
    }),
    ...withBuilders('the same and a scan, all', () => {
      const made = choose();
      return [made.edgeIndex, made.order, made.parent, treeScan(x, decay, made)];
    }),
    'scan, all': () => scan('all')(x, decay),
    'scan, root': () => scan('root')(x, decay),
    'scan and gradients, all': () => grads(scan('all'))([x, decay], dy),
    'scan and gradients, root': () => grads(scan('root'))([x, decay], dy),
    'layer normalisation': () => layerNormalization(x, perChannel, perChannel),
    gelu: () => gelu(x),
    discretisation: () => {
      const { decay, input } = discretize(x, perChannel, states, gate, x);
      return [decay, input];
    },
    'state readout': () =>
      stateReadout({
        state: x,
        outputGate: gate,
        x,
        skip: perChannel,
        gate: dy,
        stateGamma: perChannel,
        stateBeta: perChannel,
        outputGamma: perChannel,
        outputBeta: perChannel,
      }),
  };
  const costs: GpuCost[] = [];
  for (const [what, run] of Object.entries(runs)) {
    const size = [...(batch > 1 ? [batch] : []), side, side, channels].join(' x ');
    costs.push(await measureGpuCost(`${size}: ${what}`, run));
  }
  tree.dispose();
  dispose([edges, x, decay, dy, gate, perChannel, states]);
  return costs;
}
