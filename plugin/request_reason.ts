/** Describes why a request failed: in Node, the error of `fetch` only says that it failed, and its cause says why. */
export function requestReason(error: unknown): string {
  let reason = String(error);
  for (
    let at = error;
    at instanceof Error;
    at = 'errors' in at ? (at as AggregateError).errors[0] : at.cause
  ) {
    if (at.message !== '') reason = at.message;
  }
  const [, ofTls] = /:SSL routines:[^:]*:([^:]+):/.exec(reason) ?? []; // OpenSSL's messages also contain names of its source files.
  return ofTls === undefined ? reason : `TLS: ${ofTls}`;
}
