/** The networks that a checkpoint file may hold. One more is a folder beside these and an entry of the list. */
import type { GrootVArchitecture } from '../../plugin/models/grootv_metadata.js';
import type { FileArchitecture } from './architecture.js';
import { GROOTV } from './grootv/architecture.js';

export const ARCHITECTURES: readonly FileArchitecture<GrootVArchitecture>[] = [GROOTV];
