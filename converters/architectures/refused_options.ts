/** Refuses options that do not apply to a network. */
import { ArchitectureError } from '../errors.js';
import type { SettingsOptions } from './architecture.js';

/**
 * @param network such as `a classifier`
 * @throws {ArchitectureError} for options of segmenters and detectors
 */
export function refuseDense({ dense = {} }: SettingsOptions, network: string): void {
  const [foreign] = Object.keys(dense);
  if (foreign === undefined) return;
  throw new ArchitectureError(
    `${foreign} was given, which is for segmenters and detectors; this is ${network}`,
  );
}

/**
 * @param network such as `an eye tracker`
 * @throws {ArchitectureError} for options of networks with classes
 */
export function refuseClasses(options: SettingsOptions, network: string): void {
  refuseDense(options, network);
  const { classNames } = options;
  if (!classNames) return;
  throw new ArchitectureError(`${classNames.length} class names were given; ${network} has no classes`);
}
