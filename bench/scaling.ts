/** Whether tree scan and tree cost grow linearly with the number of vertices. */
import * as tf from '@tensorflow/tfjs-core';
import { boruvkaMST, treeScan } from '../plugin/index.js';
import { stageTensors } from './stages.js';
import { medianTimes } from './timing.js';

const SIDES = [7, 14, 28, 56, 112, 224, 512];
/** So many that rows are read whole; the largest grid then has 32 MB a tensor. */
const CHANNELS = 32;

export interface ScalingTime {
  readonly vertices: number;
  /** Nanoseconds a vertex and channel. */
  readonly scanNs: number;
  /** The triad of the same bytes, nanoseconds a vertex and channel: what the caches give at this size. */
  readonly triadNs: number;
  /** Nanoseconds a vertex, tree and order. */
  readonly treeNs: number;
}

/** Measures square grids of 49 to 262,144 vertices on the current backend. */
export async function benchScaling(): Promise<ScalingTime[]> {
  const times: ScalingTime[] = [];
  for (const side of SIDES) {
    const tensors = stageTensors({ name: `${side}`, side, channels: CHANNELS });
    const { x, decay, edges, samples, tree } = tensors;
    let sample = 0;
    const vertices = side * side;
    const { scan, triad, mst } = await medianTimes(
      {
        scan: () => treeScan(x, decay, tree).dispose(),
        triad: () => tf.add(x, decay).dispose(),
        mst: () => boruvkaMST(samples[sample++ % samples.length], edges, { numVertices: vertices }).dispose(),
      },
      { rounds: 1 },
    );
    tensors.dispose();
    times.push({
      vertices,
      scanNs: (scan * 1e6) / vertices / CHANNELS,
      triadNs: (triad * 1e6) / vertices / CHANNELS,
      treeNs: (mst * 1e6) / vertices,
    });
  }
  return times;
}
