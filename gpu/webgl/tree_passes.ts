/**
 * The passes of tree scans and their gradients, each in about log2(depth) draws; log2(V) if the tree was built on the
 * device, because the CPU does not know its depth.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { deviceTables } from './device_tables.js';
import type { DeviceTree } from './device_tree.js';
import type { WebglKernelArguments } from './kernels.js';
import type { PackedProgram } from './packed.js';
import { affineCompositionProgram } from './programs/affine_composition_program.js';
import { affineMapProgram } from './programs/affine_map_program.js';
import { gatherStateProgram } from './programs/gather_state_program.js';
import { scatterStateProgram } from './programs/scatter_state_program.js';
import { subtreeSumProgram } from './programs/subtree_sum_program.js';
import { treeTables } from './tree_tables.js';

type Kernel = Omit<WebglKernelArguments<never>, 'inputs' | 'attributes' | 'outputs'>;

/** A layer of the tables of tree_tables.ts: the texture, and the index of the layer in it. */
type Layer = readonly [TensorInfo, number];

const ORIGIN = 'made on the device';

/** Keeps the inputs of a tree's tables, so that the tree is never read back. */
export function rememberDeviceTree({ order, parent, positions, places }: DeviceTree, kernel: Kernel): void {
  kernel.cached([order, parent], ORIGIN, () => ({
    textures: [positions, places],
    facts: undefined,
  }));
}

function layersOf(order: TensorInfo, parent: TensorInfo, kernel: Kernel): readonly Layer[] {
  const [batch, numVertices] = order.shape;
  return kernel.cached<readonly Layer[]>([order, parent], 'tables', () => {
    const origin = kernel.findCached([order, parent], ORIGIN);
    if (origin) {
      const [positions, places] = origin.textures;
      const textures = deviceTables({ order, parent, positions, places }, kernel);
      return { textures, facts: textures.map((texture) => [texture, 0] as const) };
    }
    const table = treeTables(kernel.read(order), kernel.read(parent), batch, numVertices);
    const texture = kernel.upload(table);
    const facts = Array.from({ length: table.shape[0] }, (_, layer) => [texture, layer] as const);
    return { textures: [texture], facts };
  }).facts;
}

/** Passes over the trees of one kernel call. A state is [B, 2V, D]: see programs/tree_state.ts. */
export class TreePasses {
  /** Layer 0 of the tables. */
  readonly tree: TensorInfo;
  /** The layer of distance 1, unless all trees have a single vertex. */
  readonly children: Layer | undefined;
  /** The layers of distance 1, 2, 4... */
  private readonly reaches: readonly Layer[];

  constructor(
    { order, parent }: { order: TensorInfo; parent: TensorInfo },
    private readonly shape: readonly number[],
    private readonly kernel: Kernel,
  ) {
    const [[tree], ...reaches] = layersOf(order, parent, kernel);
    this.tree = tree;
    this.children = reaches[0];
    this.reaches = reaches;
  }

  /** (values, decay) by position, decay 0 at the root. 1 draw. */
  gather(values: TensorInfo, decay: TensorInfo): TensorInfo {
    const [, , groups] = decay.shape;
    return this.kernel.draw(gatherStateProgram(this.shape), [values, decay, this.tree], [groups]);
  }

  /** Leaves to root: sums over subtrees. One draw per layer. */
  subtreeSums(start: TensorInfo, after: 'keep' | 'release'): TensorInfo {
    return this.double(subtreeSumProgram(start.shape), start, after);
  }

  /** Root to leaves: values[v] += decay[v] * values[p], the transpose of subtreeSums. One draw per layer. */
  spread(start: TensorInfo): TensorInfo {
    return this.double(affineCompositionProgram(start.shape, 'tree'), start, 'release');
  }

  /** Root to leaves, from the sums over subtrees to those over the whole tree. One draw per layer, plus one. */
  wholeTreeSums(subtree: TensorInfo, start: TensorInfo): TensorInfo {
    const map = this.kernel.draw(affineMapProgram(start.shape), [subtree, start]);
    return this.spread(map);
  }

  /** Values by vertex id, [B, V, D]. 1 draw. */
  scatter(state: TensorInfo): TensorInfo {
    return this.kernel.draw(scatterStateProgram([...this.shape]), [state, this.tree]);
  }

  private double(program: PackedProgram, start: TensorInfo, after: 'keep' | 'release'): TensorInfo {
    let state = start;
    for (const [texture, layer] of this.reaches) {
      const next = this.kernel.draw(program, [state, texture], [layer]);
      if (state !== start || after === 'release') this.kernel.release(state);
      state = next;
    }
    return state;
  }
}
