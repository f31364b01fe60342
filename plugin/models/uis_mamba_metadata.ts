/** Metadata of models of UIS-Mamba's backbone, written by the converter: `model.metadata` in tfjs. */
import { boolean, type Check, integer, number } from './checks.js';
import type { OutputNormalization } from './dense_metadata.js';
import type { GrootVTrunk, VisionMetadata } from './grootv_metadata.js';

/** Settings that the names and shapes of a checkpoint do not reveal. */
export interface UisMambaWeakening {
  /** Whether the scan's input is weakened in cells that differ from their neighbours. */
  readonly useHsw: boolean;
  /** Factor of the scan's input there. */
  readonly hswVarphi: number;
  /** Side of a cell in pixels of a level's map. */
  readonly poolSize: number;
}

/** Checks of {@link UisMambaWeakening}. */
export const WEAKENING_FIELDS = {
  useHsw: boolean,
  hswVarphi: number(-1000, 1000),
  poolSize: integer(1, 1024),
} satisfies Record<keyof UisMambaWeakening, Check>;

/** Architecture of UIS-Mamba's backbone. */
export interface UisMambaArchitecture extends GrootVTrunk {
  /** Always 0: there is no classifier. */
  readonly classes: number;
  readonly outputNormalization: OutputNormalization | null;
  /** Whether pixels of the next level are sampled from points of a predicted box instead of computed by a convolution. */
  readonly depatch: boolean;
}

/** `userDefinedMetadata` of model.json. */
export interface UisMambaMetadata extends VisionMetadata {
  readonly architecture: UisMambaArchitecture &
    UisMambaWeakening & { readonly family: 'UIS-Mamba'; readonly parameters: number };
  readonly preprocessing: {
    readonly channels: 'RGB';
    /** Range of values of the graph's `image` input. */
    readonly range: readonly [0, 255];
    /**
     * Mean that is subtracted and deviation that is divided by inside the graph, between `image` and `normalized`; for
     * values from 0 to 1.
     */
    readonly mean: readonly number[];
    readonly deviation: readonly number[];
  };
}
