/** The architectures that a checkpoint file can hold. To add one, add a folder beside these and an entry to the list. */
import type { FileArchitecture } from './architecture.js';
import { GG_SSM_EYE_TRACKER } from './gg_ssm_eye_tracker/architecture.js';
import { GG_SSM_FORECASTER } from './gg_ssm_forecaster/architecture.js';
import { GROOTV } from './grootv/architecture.js';
import { GROOTV_MASK_RCNN, UIS_MAMBA_MASK_RCNN } from './grootv_mask_rcnn/architecture.js';
import { GROOTV_UPERNET } from './grootv_upernet/architecture.js';
import { UIS_MAMBA } from './uis_mamba/architecture.js';

/** The sizes that all architectures have; further ones are specific to each. */
export interface NetworkSizes {
  readonly name: string;
  /** Channels of the first level, or of all layers. */
  readonly channels: number;
  /** Blocks per level, or the number of layers. */
  readonly depths: readonly number[];
  /** 0 if there is no classification head. */
  readonly classes: number;
}

export const ARCHITECTURES: readonly FileArchitecture<NetworkSizes>[] = [
  GROOTV,
  GROOTV_UPERNET,
  GROOTV_MASK_RCNN,
  UIS_MAMBA,
  UIS_MAMBA_MASK_RCNN,
  GG_SSM_EYE_TRACKER,
  GG_SSM_FORECASTER,
];
