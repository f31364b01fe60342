/** Random changes of JSON, as by an attacker or a damaged disk. */
import fc from 'fast-check';

type Path = readonly (string | number)[];

/** Paths to all values of a JSON document, those near the root as often as those in long lists. */
function pathsOf(json: unknown, path: Path = []): Path[] {
  if (typeof json !== 'object' || json === null) return [path];
  const inner = Object.entries(json).slice(0, 30);
  return [path, ...inner.flatMap(([key, value]) => pathsOf(value, [...path, key]))];
}

const VALUES: readonly unknown[] = [
  null,
  true,
  {},
  [],
  [null],
  [[]],
  '',
  'x',
  '../x',
  '__proto__',
  'constructor',
  'x'.repeat(5000),
  -1,
  0,
  0.5,
  1e9,
  2 ** 53,
  -1e300,
  { length: 1e9 },
];

/** A copy with up to three values changed, removed, or replaced with one another. */
export function mutated(json: object): fc.Arbitrary<{ json: object; change: string }> {
  const paths = pathsOf(json).filter((path) => path.length > 0);
  // The depth of a path is chosen first, so that the few values near the root are changed as often as the many deep ones.
  const depths = [...new Set(paths.map((path) => path.length))];
  const path = fc
    .constantFrom(...depths)
    .chain((depth) => fc.constantFrom(...paths.filter((each) => each.length === depth)));
  const change = fc.tuple(
    path,
    fc.oneof(
      fc.constantFrom(...VALUES),
      fc.constant(undefined),
      path.map((from) => valueAt(json, from)),
    ),
  );
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const copy = structuredClone(json);
    for (const [at, value] of changes) put(copy, at, value);
    return {
      json: copy,
      change: changes
        .map(([at, value]) => `${at.join('.')} = ${JSON.stringify(value)?.slice(0, 80)}`)
        .join('; '),
    };
  });
}

function valueAt(json: object, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], json);
}

function put(json: object, path: Path, value: unknown): void {
  const parent = valueAt(json, path.slice(0, -1));
  const key = path[path.length - 1];
  if (typeof parent !== 'object' || parent === null) return;
  if (value === undefined) delete (parent as Record<string, unknown>)[key];
  else
    Object.defineProperty(parent, key, {
      value: structuredClone(value),
      enumerable: true,
      configurable: true,
      writable: true,
    });
}

/** Whether a message is readable: one line, and not an engine's message about its own objects. */
export function isReadable(error: unknown): boolean {
  if (!(error instanceof Error) || error.message === '' || error.message.length > 1000) return false;
  return !/\n|Cannot (read|set|convert|destructure)|is not (a function|iterable|defined|a constructor)|reading '|call stack/.test(
    error.message,
  );
}
