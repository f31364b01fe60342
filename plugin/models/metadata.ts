/** Checks the `userDefinedMetadata` of a model against the schema of its family before anything uses it. */
import { type Check, isRecord } from './checks.js';
import type { LoadedModel } from './loaded_model.js';

/** The metadata of a model, and the name of their file in errors. */
interface Described {
  readonly metadata: LoadedModel['metadata'] | undefined;
  readonly origin: string;
}

/** Returns the family that the metadata name, or undefined. */
export function familyOf({ metadata }: Described): string | undefined {
  if (!isRecord(metadata) || !isRecord(metadata.architecture)) return undefined;
  const { family } = metadata.architecture;
  return typeof family === 'string' ? family : undefined;
}

/**
 * @throws {Error} if the model is of another family, or a field is missing, of the wrong type or out of bounds; names the
 *   file, the field, its value and what is expected.
 */
export function readMetadata<T>(method: string, model: Described, family: string, check: Check): T {
  const { metadata, origin } = model;
  if (familyOf(model) !== family) {
    throw new Error(
      `${method}: ${origin}: this is not a ${family} model: its metadata names no such architecture`,
    );
  }
  check(metadata, `${method}: ${origin}: userDefinedMetadata`);
  return metadata as T;
}
