/** What the page shows of a model, and where it is read from. No tfjs: the build imports it too. */

/** Classes of the package by what models say of themselves. */
const FAMILIES = {
  GrootV: 'GrootV',
  'GrootV-UperNet': 'Segmenter',
  'GrootV-MaskRCNN': 'Detector',
  GrootL: 'GrootL',
} as const;

/** Class of the package that runs a model; `none` for graphs that none of them runs. */
export type Family = (typeof FAMILIES)[keyof typeof FAMILIES] | 'none';

/** What the page shows of a model. */
export interface ModelSummary {
  readonly id: string;
  readonly title: string;
  readonly family: Family;
  /** As the converter names it: `GrootV-T`. */
  readonly architecture: string;
  readonly parameters: number;
  /** Of a classifier; 0 for a backbone. */
  readonly classes?: number;
  /** Bytes of the converted files. */
  readonly bytes: number;
  readonly isBundled: boolean;
  /** When it was converted, milliseconds since 1970. Absent for bundled models. */
  readonly savedAt?: number;
}

/**
 * What a model.json of this package's converter says of its model.
 * @param json parsed, untrusted
 * @throws {Error} when it says nothing
 */
export function describeModel(
  json: unknown,
): Pick<ModelSummary, 'family' | 'architecture' | 'parameters' | 'classes'> {
  const { family, name, parameters, classes } =
    (json as { userDefinedMetadata?: { architecture?: Record<string, unknown> } } | null)?.userDefinedMetadata
      ?.architecture ?? {};
  if (typeof family !== 'string' || typeof name !== 'string' || !Number.isSafeInteger(parameters)) {
    throw new Error(
      'model.json says nothing of an architecture: expected a model that this package has converted',
    );
  }
  return {
    family: Object.hasOwn(FAMILIES, family) ? FAMILIES[family as keyof typeof FAMILIES] : 'none',
    architecture: name.slice(0, 80),
    parameters: Number(parameters),
    ...(Number.isSafeInteger(classes) && { classes: Number(classes) }),
  };
}
