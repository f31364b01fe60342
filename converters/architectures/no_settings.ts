/** Networks without classes and pictures. */
import { ArchitectureError } from '../errors.js';
import type { SettingsOptions } from './architecture.js';

/**
 * @param network such as `an eye tracker`
 * @throws {ArchitectureError} for class names, and for options of segmenters and detectors
 */
export function refuseSettings({ classNames, dense = {} }: SettingsOptions, network: string): void {
  if (classNames) {
    throw new ArchitectureError(`${classNames.length} class names were given; ${network} has no classes`);
  }
  const [foreign] = Object.keys(dense);
  if (foreign !== undefined) {
    throw new ArchitectureError(
      `${foreign} was given, which is for segmenters and detectors; this is ${network}`,
    );
  }
}
