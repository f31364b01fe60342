/** Writes a result to a file. */
import { isDescriptor, writeFileAtomically } from '../atomic_file.js';
import { inline, note, print } from './terminal.js';

/**
 * Writes a result, and prints where it was written and the backend; on standard error if the result itself is on standard output.
 * @throws {Error} one line, if it cannot be written
 */
export async function writeResult(path: string, bytes: Uint8Array, backend: string): Promise<void> {
  await writeFileAtomically(path, bytes);
  const line = `written to ${inline(path, 4096)} (${backend})`;
  if (isDescriptor(path)) note(line);
  else print(line);
}
