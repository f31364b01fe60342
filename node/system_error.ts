/** Describes errors of the operating system. */

const REASONS: ReadonlyMap<string | undefined, string> = new Map([
  ['EACCES', 'permission denied'],
  ['EDQUOT', 'the disk quota is used up'],
  ['EISDIR', 'it is a directory'],
  ['ELOOP', 'too many links'],
  ['ENAMETOOLONG', 'the name is too long'],
  ['ENOENT', 'no such file'],
  ['ENOSPC', 'no space left on the device'],
  ['ENOTDIR', 'a part of its path is not a directory'],
  ['ENXIO', 'nothing can be opened there'],
  ['EPERM', 'the operation is not permitted'],
  ['EROFS', 'the file system is read-only'],
]);

/** The reason why a name that was listed is not found: its bytes that are not UTF-8 have been replaced. */
export const NOT_UTF8 = 'its name is not UTF-8';
const REPLACEMENT = '\ufffd';

/** Why a system call failed, without the names of calls and temporary files. */
export function reasonOf(error: unknown): string {
  const { code, message, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && path?.includes(REPLACEMENT)) return NOT_UTF8;
  return REASONS.get(code) ?? message;
}

/** The error of a file that cannot be opened or read. */
export function cannotOpen(path: string, error: unknown): Error {
  return new Error(`cannot open "${path}": ${reasonOf(error)}`);
}
