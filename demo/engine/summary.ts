/** What the page shows of a model, and the metadata that it comes from. Does not use tfjs: the build imports it too. */

/** Classes of the package by architecture in a model's metadata. */
const FAMILIES = {
  GrootV: 'GrootV',
  'GrootV-UperNet': 'Segmenter',
  'GrootV-MaskRCNN': 'Detector',
  GrootL: 'GrootL',
} as const;

/** Class of the package that runs a model; `none` for graphs that no class runs. */
export type Family = (typeof FAMILIES)[keyof typeof FAMILIES] | 'none';

/** Model information shown by the page. */
export interface ModelSummary {
  readonly id: string;
  readonly title: string;
  readonly family: Family;
  /** The converter's name for it: `GrootV-T`. */
  readonly architecture: string;
  readonly parameters: number;
  /** For a classifier; 0 for a backbone. */
  readonly classes?: number;
  /** Bytes of the converted files. */
  readonly bytes: number;
  readonly isBundled: boolean;
  /** Time of the conversion, in milliseconds since 1970. Absent for bundled models. */
  readonly savedAt?: number;
}

/**
 * Reads the metadata in a model.json of this package's converter.
 * @param json parsed, untrusted
 * @throws {Error} if it has no such metadata
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
