/** Formats errors as one line. */
import { inline } from './printable.js';

/** Peer dependencies. */
const PEERS =
  '@tensorflow/tfjs-core @tensorflow/tfjs-converter @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-wasm';

/** Maximum characters of an error's message. */
const MESSAGE_CHARACTERS = 2000;

/** The message of any thrown value, on one line. */
export function oneLine(error: unknown): string {
  const peer = missingPackage(error);
  if (peer?.startsWith('@tensorflow/')) return `the package ${peer} is not installed: npm install ${PEERS}`;
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replace(/\s*\n\s*/g, ' ').trim();
  return inline(line, MESSAGE_CHARACTERS) || 'failed for an unknown reason';
}

/** The package that an import could not find; undefined for other errors. */
export function missingPackage(error: unknown): string | undefined {
  const { code, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return undefined;
  return /(?:Cannot find (?:package|module) '|tried to access )(@?[\w-][\w./-]*)/.exec(message)?.[1];
}
