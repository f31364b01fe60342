/** Loads sharp when an image is read or written: the rest of the package works without it. */

/** @throws {Error} one line that says what to install, if sharp is missing or does not load */
export async function loadSharp(): Promise<typeof import('sharp')['default']> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    const message = (cause as Error).message.split('\n')[0];
    throw new Error(`images need the package sharp (npm install sharp), which did not load: ${message}`, {
      cause,
    });
  }
}
