/** Why a request failed, in words: in Node, the error of `fetch` says only that it did, and its cause says why. */
export function requestReason(error: unknown): string {
  let reason = String(error);
  for (
    let at = error;
    at instanceof Error;
    at = 'errors' in at ? (at as AggregateError).errors[0] : at.cause
  ) {
    if (at.message !== '') reason = at.message;
  }
  const [, ofTls] = /:SSL routines:[^:]*:([^:]+):/.exec(reason) ?? []; // OpenSSL names its source files as well
  return ofTls === undefined ? reason : `TLS: ${ofTls}`;
}
