/** GrootV as the backbone of segmenters and detectors: tensors under `backbone.`, next to those of the heads. */
import type { DenseTrunk, OutputNormalization } from '../../../plugin/models/dense_metadata.js';
import { entriesIn, type StateShapes } from '../../state_shapes.js';
import { trunkSizes } from './architecture.js';
import { LAYER_EPSILON, TORCH_EPSILON } from './graph.js';

/** Modules of the trunk, and the normalisations of its outputs. */
const OWNED = /^backbone\.(patch_embed|levels|outnorm\d+)\./;

const LEFT_OUT: readonly (readonly [RegExp, string])[] = [
  [/^(conv_head|head)\./, "the backbone's own classifier, not used by this network"],
  [/^auxiliary_head\./, 'a head for training only'],
  [/^ema_/, "a moving average kept by mmcv's EMA hook, under names with underscores"],
];

export function ownsBackbone(name: string): boolean {
  return OWNED.test(name);
}

export function whyLeftOut(name: string): string | undefined {
  return LEFT_OUT.find(([pattern]) => pattern.test(name))?.[1];
}

/** Whether a state dict has a parameter name that only this architecture has. */
export function hasAnchor(state: StateShapes, { anchors }: { readonly anchors: readonly string[] }): boolean {
  for (const name of state.keys()) if (anchors.some((anchor) => name.startsWith(anchor))) return true;
  return false;
}

/** The sizes of the trunk without its head; undefined if there is no trunk. */
export function denseTrunk(state: StateShapes): Omit<DenseTrunk, 'classes'> | undefined {
  const backbone = entriesIn(state, 'backbone.');
  const trunk = trunkSizes(backbone);
  if (!trunk) return undefined;
  // Images have three channels: a stem with another number does not fit.
  const { inputChannels: _, ...rest } = trunk;
  return { ...rest, outputNormalization: outputNormalization(backbone, trunk.depths.length) };
}

/** `outnorm<l>` is VMamba's wrapper around nn.LayerNorm, `outnorm<l>.0` GrootV's own norm. */
export function outputNormalization(backbone: StateShapes, levels: number): OutputNormalization | null {
  const having = (suffix: string) =>
    Array.from({ length: levels }, (_, level) => level).filter((level) =>
      backbone.has(`outnorm${level}${suffix}.weight`),
    );
  const [plain, nested] = [having(''), having('.0')];
  if (plain.length > 0) return { levels: plain, epsilon: TORCH_EPSILON };
  return nested.length > 0 ? { levels: nested, epsilon: LAYER_EPSILON } : null;
}
