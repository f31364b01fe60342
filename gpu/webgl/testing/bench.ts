/**
 * Measures our ops and whole predictions on the GPU of the page: draws, read-backs and uploads, which are the same on every
 * device, and times, which depend on the renderer named with them. Times of a software rasteriser say nothing about a GPU,
 * and are marked.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { dispose, engine, findBackend, type Tensor, type TensorContainer } from '@tensorflow/tfjs-core';
import { perfCall, STAGES, sizeName, TIMED_SPECS } from '../../../bench/perf_calls.js';
import { boruvkaMST, type Tree } from '../../../plugin/ops/boruvka_mst.js';
import { edgeDissimilarity } from '../../../plugin/ops/edge_dissimilarity.js';
import { edgeDissimilaritySpec } from '../../../plugin/ops/edge_dissimilarity.spec.js';
import { hasOwnKernel } from '../../../plugin/ops/kernels.js';
import type { OpSpec, PerfSize } from '../../../plugin/ops/spec/spec.js';
import { treeScan } from '../../../plugin/ops/tree_scan.js';
import { treeScanSpec } from '../../../plugin/ops/tree_scan.spec.js';
import { countGpuWork, type GpuCounts } from './measure.js';
import { withBuilder } from './tree_builders.js';

/** One measurement. */
export interface GpuCost extends GpuCounts {
  readonly what: string;
  /** Median of several runs, until the GPU has finished. */
  readonly milliseconds: number;
}

export interface WebglBench {
  /** As reported by the driver. */
  readonly renderer: string;
  /** Not a GPU: the times are only good for finding mistakes. */
  readonly isSoftware: boolean;
  readonly costs: readonly GpuCost[];
}

/** A size to measure, with a batch of 1 by default. */
export interface WebglSize extends PerfSize {
  readonly batch?: number;
}

const RUNS = 3;
const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;

function currentContext(): WebGL2RenderingContext {
  const backend = findBackend('webgl') as MathBackendWebGL | null;
  if (!backend) throw new Error("the backend 'webgl' was not started: tf.setBackend('webgl')");
  return backend.getGPGPUContext().gl as WebGL2RenderingContext;
}

/** Returns the renderer's name, and whether it is software. */
function describeRenderer(): { renderer: string; isSoftware: boolean } {
  const gl = currentContext();
  const names = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  return { renderer, isSoftware: SOFTWARE.test(renderer) };
}

/**
 * Measures one computation on the current backend, which must be `webgl`: first to compile and upload, then to count, then
 * to time. Its result is disposed.
 */
export async function measureGpuCost(what: string, run: () => TensorContainer): Promise<GpuCost> {
  const gl = currentContext();
  const once = () => {
    const start = performance.now();
    dispose(run());
    // Draws are queued; a pixel of the last one is available when all are done.
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.FLOAT, new Float32Array(4));
    return performance.now() - start;
  };
  once();
  const { counts } = await countGpuWork(() => dispose(run()));
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) times.push(once());
  return { what, ...counts, milliseconds: times.sort((a, b) => a - b)[Math.floor(RUNS / 2)] };
}

/**
 * Measures every op of ours that draws, and trees of both builders, at the given sizes. The current backend must be `webgl`.
 */
export async function benchWebgl(sizes: readonly WebglSize[] = STAGES): Promise<WebglBench> {
  const costs: GpuCost[] = [];
  const drawn = TIMED_SPECS.filter(({ op }) => hasOwnKernel(op, 'webgl') || op.compose);
  for (const size of sizes) {
    for (const spec of drawn) costs.push(...(await benchOp(spec, size)));
    costs.push(...(await benchBuilders(size)));
  }
  return { ...describeRenderer(), costs };
}

function tensorsOf({ edgeIndex, order, parent }: Tree): Tensor[] {
  return [edgeIndex, order, parent];
}

function named(size: WebglSize, what: string): string {
  return `${size.batch ? `${size.batch}x` : ''}${sizeName(size)}: ${what}`;
}

/** Measures an op, and its gradients if they have their own kernel. */
async function benchOp(spec: OpSpec, size: WebglSize): Promise<GpuCost[]> {
  const call = perfCall(spec, size, size.batch);
  const costs: GpuCost[] = [];
  for (const [name, run] of Object.entries(call.runs)) {
    costs.push(await measureGpuCost(named(size, name), run));
    if (!spec.gradientKernel) continue;
    const inputs = Object.values(call.samples[0].inputs).filter(({ dtype }) => dtype === 'float32');
    const [dy] = run();
    const gradients = () => {
      const { value, grads } = engine().gradients(() => run()[0], inputs, dy);
      return [value, ...grads];
    };
    costs.push(await measureGpuCost(named(size, `${name}, with gradients`), gradients));
    dy.dispose();
  }
  call.dispose();
  return costs;
}

/** Measures trees of features on the GPU, and a scan along them, with trees built on the host and on the device. */
async function benchBuilders(size: WebglSize): Promise<GpuCost[]> {
  const calls = [edgeDissimilaritySpec, treeScanSpec].map((spec) => perfCall(spec, size, size.batch));
  const [{ features, edges }, { x, decay }] = calls.map(({ samples: [{ inputs }] }) => inputs);
  const choose = () => {
    const weights = edgeDissimilarity(features, edges);
    const tree = boruvkaMST(weights, edges, { numVertices: size.side ** 2 });
    weights.dispose();
    return tree;
  };
  const runs = {
    'edge weights and tree': () => tensorsOf(choose()),
    'the same and a scan': () => {
      const tree = choose();
      return [...tensorsOf(tree), treeScan(x, decay, tree)];
    },
  };
  const costs: GpuCost[] = [];
  for (const [what, run] of Object.entries(runs)) {
    for (const builder of ['host', 'device'] as const) {
      const cost = () => measureGpuCost(named(size, `${what}, ${builder}`), run);
      costs.push(await withBuilder(builder, cost));
    }
  }
  for (const call of calls) call.dispose();
  return costs;
}
