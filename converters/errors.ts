/** A checkpoint that is readable but does not hold the expected network. `message` is one line. */
export class ArchitectureError extends Error {
  override readonly name = 'ArchitectureError';
}
