/** Values remembered between visits; none if the browser does not allow it. */

const PREFIX = 'tfjs-grootvl.';

export function recall(name: string): string | undefined {
  try {
    return localStorage.getItem(PREFIX + name) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Undefined removes the value. */
export function remember(name: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // The user is asked again, or the default is opened, on the next visit.
  }
}
