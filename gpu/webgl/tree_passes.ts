/** The passes that tree scans and their gradients are made of, each in about log2(depth) draws. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebglKernelArguments } from './kernels.js';
import { AffineCompositionProgram } from './programs/affine_composition_program.js';
import { AffineMapProgram } from './programs/affine_map_program.js';
import { GatherStateProgram } from './programs/gather_state_program.js';
import { ScatterStateProgram } from './programs/scatter_state_program.js';
import { SubtreeSumProgram } from './programs/subtree_sum_program.js';
import { type TreeFacts, treeTables } from './tree_tables.js';

/** Passes over the trees of one kernel call. A state is [B, 2V, D]: see programs/tree_state.ts. */
export class TreePasses {
  /** The tables of tree_tables.ts. */
  readonly tree: TensorInfo;
  readonly rounds: number;

  constructor(
    { order, parent }: { order: TensorInfo; parent: TensorInfo },
    private readonly shape: readonly number[],
    private readonly kernel: Pick<
      WebglKernelArguments<never>,
      'draw' | 'release' | 'read' | 'derived' | 'identityOf'
    >,
  ) {
    const [batch, numVertices] = order.shape;
    // Tables hang on the order, under the name of the parents: a caller may pair an order with several.
    const { texture, facts } = kernel.derived<TreeFacts>(order, `tree ${kernel.identityOf(parent)}`, () =>
      treeTables(kernel.read(order), kernel.read(parent), batch, numVertices),
    );
    this.tree = texture;
    this.rounds = facts.rounds;
  }

  /** (values, decay) by position, decay 0 at the root. 1 draw. */
  gather(values: TensorInfo, decay: TensorInfo): TensorInfo {
    return this.kernel.draw(new GatherStateProgram(this.shape), [values, decay, this.tree]);
  }

  /** Leaves to root: sums over subtrees. `rounds` draws. */
  subtreeSums(start: TensorInfo, after: 'keep' | 'release'): TensorInfo {
    return this.double(new SubtreeSumProgram(start.shape), start, after);
  }

  /** Root to leaves: values[v] += decay[v] * values[p], the transpose of subtreeSums. `rounds` draws. */
  spread(start: TensorInfo): TensorInfo {
    return this.double(new AffineCompositionProgram(start.shape), start, 'release');
  }

  /** Root to leaves, from the sums over subtrees to those over the whole tree. rounds + 1 draws. */
  wholeTreeSums(subtree: TensorInfo, start: TensorInfo): TensorInfo {
    const map = this.kernel.draw(new AffineMapProgram(start.shape), [subtree, start]);
    return this.spread(map);
  }

  /** Values by vertex id, [B, V, D]. 1 draw. */
  scatter(state: TensorInfo): TensorInfo {
    return this.kernel.draw(new ScatterStateProgram([...this.shape]), [state, this.tree]);
  }

  private double(
    program: SubtreeSumProgram | AffineCompositionProgram,
    start: TensorInfo,
    after: 'keep' | 'release',
  ): TensorInfo {
    let state = start;
    for (let round = 0; round < this.rounds; round++) {
      const next = this.kernel.draw(program, [state, this.tree], [round]);
      if (round > 0 || after === 'release') this.kernel.release(state);
      state = next;
    }
    return state;
  }
}
