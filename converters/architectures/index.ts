/** The networks that a checkpoint file may hold. One more is a folder beside these and an entry of the list. */
import type { GrootVTrunk } from '../../plugin/models/grootv_metadata.js';
import type { FileArchitecture } from './architecture.js';
import { GROOTV } from './grootv/architecture.js';
import { GROOTV_MASK_RCNN, UIS_MAMBA_MASK_RCNN } from './grootv_mask_rcnn/architecture.js';
import { GROOTV_UPERNET } from './grootv_upernet/architecture.js';
import { UIS_MAMBA } from './uis_mamba/architecture.js';

/** What the sizes of all of them have; the rest is for each to know. */
export type NetworkSizes = GrootVTrunk & { readonly classes: number };

export const ARCHITECTURES: readonly FileArchitecture<NetworkSizes>[] = [
  GROOTV,
  GROOTV_UPERNET,
  GROOTV_MASK_RCNN,
  UIS_MAMBA,
  UIS_MAMBA_MASK_RCNN,
];
