/** A checkpoint that was read well but does not hold the network that is expected. `message` is one line. */
export class ArchitectureError extends Error {
  override readonly name = 'ArchitectureError';
}
