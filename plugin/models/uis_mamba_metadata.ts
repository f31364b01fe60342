/** What the converter writes into a model of UIS-Mamba's backbone: `model.metadata` in tfjs. */
import { boolean, type Check, integer, number } from './checks.js';
import type { OutputNormalization } from './dense_metadata.js';
import type { GrootVTrunk, VisionMetadata } from './grootv_metadata.js';

/** What nothing in the names and shapes of a checkpoint tells. */
export interface UisMambaWeakening {
  /** Whether the scan's input is weakened where a cell is unlike its neighbours. */
  readonly useHsw: boolean;
  /** What it is multiplied by there. */
  readonly hswVarphi: number;
  /** Side of a cell, pixels of a level's map. */
  readonly poolSize: number;
}

/** Checks of {@link UisMambaWeakening}. */
export const WEAKENING_FIELDS = {
  useHsw: boolean,
  hswVarphi: number(-1000, 1000),
  poolSize: integer(1, 1024),
} satisfies Record<keyof UisMambaWeakening, Check>;

/** The sizes of UIS-Mamba's backbone. */
export interface UisMambaArchitecture extends GrootVTrunk {
  /** 0: there is no classifier. */
  readonly classes: number;
  readonly outputNormalization: OutputNormalization | null;
  /** Whether a pixel of the next level is made of points of a box that it predicts, in place of a convolution. */
  readonly depatch: boolean;
}

/** `userDefinedMetadata` of model.json. */
export interface UisMambaMetadata extends VisionMetadata {
  readonly architecture: UisMambaArchitecture &
    UisMambaWeakening & { readonly family: 'UIS-Mamba'; readonly parameters: number };
  readonly preprocessing: {
    readonly channels: 'RGB';
    /** Values that the graph's `image` input takes. */
    readonly range: readonly [0, 255];
    /** Taken out inside the graph, between `image` and `normalized`; of values from 0 to 1. */
    readonly mean: readonly number[];
    readonly deviation: readonly number[];
  };
}
