/** Formats numbers. */

/** Bytes, such as `1.4 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1e3) return `${bytes} bytes`;
  const [unit, size] = bytes < 1e6 ? ['kB', 1e3] : bytes < 1e9 ? ['MB', 1e6] : ['GB', 1e9];
  return `${(bytes / size).toLocaleString('en', { maximumSignificantDigits: 3 })} ${unit}`;
}

/** A count, such as `640.6 thousand` or `30.1 million`. */
export function formatCount(count: number): string {
  if (count < 1e5) return count.toLocaleString('en');
  const [unit, size] = count < 1e6 ? ['thousand', 1e3] : ['million', 1e6];
  return `${(count / size).toLocaleString('en', { maximumSignificantDigits: 3 })} ${unit}`;
}
