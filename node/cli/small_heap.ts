/** Keeps V8's heap near what lives in it. */
import { setFlagsFromString } from 'node:v8';

/**
 * For runs of any length: V8 lets garbage grow to several times what lives before it looks for it, so that a long run would
 * take more memory than a short one. All of the process, threads included. It only decides when garbage is collected.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--optimize-for-size');
}
