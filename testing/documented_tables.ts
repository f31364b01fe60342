/**
 * Generates the tables of README.md, FEATURES.md and docs/ that follow from the code: ops, backends, bounds and architectures,
 * from the registries. As a program (`npm run tables`) it writes them between their markers, `<!-- table: name -->` and `<!--
 * table: end -->`; documented_tables.test.ts fails if they are outdated.
 */
import '@tensorflow/tfjs-backend-wasm';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mambaArchitecture } from '../converters/architectures/grootl/architecture.js';
import { ARCHITECTURES } from '../converters/architectures/index.js';
import '../gpu/cuda/index.js';
import '../gpu/webgl/index.js';
import '../gpu/webgpu/index.js';
import '../plugin/index.js';
import { BACKENDS, type BackendEntry, type ToleranceClass } from '../plugin/backends.js';
import type { OpDeclaration } from '../plugin/ops/declaration.js';
import { OPS } from '../plugin/ops/index.js';
import { hasOwnKernel } from '../plugin/ops/kernels.js';
import type { Bound } from '../plugin/ops/spec/bound.js';
import { Random } from '../plugin/ops/spec/random.js';
import type { OpSpec } from '../plugin/ops/spec/spec.js';
import { SPECS } from '../plugin/ops/specs.js';
import '../wasm/index.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Files with tables, relative to the root of the checkout. */
export const DOCUMENTS = ['README.md', 'FEATURES.md', 'docs/numerics.md'];

const TABLES: Readonly<Record<string, () => string>> = { ops, backends, bounds, architectures };
const TABLE = /<!-- table: (\w+) -->\n[\s\S]*?<!-- table: end -->/g;

/** A document with its tables regenerated. @throws {Error} if a marker names an unknown table */
export function withTables(document: string): string {
  return document.replace(TABLE, (_, name: string) => {
    if (!TABLES[name])
      throw new Error(`expected a table of ${Object.keys(TABLES).join(', ')}, got "${name}"`);
    return `<!-- table: ${name} -->\n${TABLES[name]()}\n<!-- table: end -->`;
  });
}

export function readDocument(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** How each op runs on each backend, and whether it has gradients. */
function ops(): string {
  const elsewhere = (op: OpDeclaration) => (op.compose ? 'composed' : 'CPU');
  return table(
    ['op', ...BACKENDS.map(({ name }) => name), 'any other backend', 'gradient'],
    OPS.map((op) => [
      op.name,
      ...BACKENDS.map(({ name }) => (hasOwnKernel(op, name) ? 'own' : elsewhere(op))),
      elsewhere(op),
      hasGradient(op) ? 'yes' : 'none',
    ]),
  );
}

function hasGradient(op: OpDeclaration): boolean {
  const spec = SPECS.find((spec) => spec.op === op);
  return spec !== undefined && spec.differentiable?.length !== 0;
}

function backends(): string {
  const platformNames = { node: 'Node', page: 'pages' };
  const entries: readonly BackendEntry[] = BACKENDS;
  return table(
    ['backend', 'runs in', 'import', 'tfjs package', 'tolerance class'],
    entries.map(({ name, platforms, module, tfjsPackage, tolerance }) => [
      `\`${name}\``,
      platforms.map((platform) => platformNames[platform]).join(', '),
      `\`tfjs-grootvl${module === 'plugin/index' ? '' : `/${name}`}\``,
      `\`${tfjsPackage}\``,
      tolerance,
    ]),
  );
}

/** The bounds of every op over the samples of its spec, for one seed. */
function bounds(): string {
  return table(
    ['op', '`float32`', '`shader`', 'gradients, `float32`', 'reason'],
    SPECS.map((spec) => {
      const of = (tolerance: ToleranceClass, isGradient = false) => boundsOf(spec, tolerance, isGradient);
      const isExact = Object.values(spec.op.outputs).every(({ dtype }) => dtype === 'int32');
      const sizes = isExact ? ['exact', 'exact'] : [shown(of('float32')), shown(of('shader'))];
      const gradient = hasGradient(spec.op) ? shown(of('float32', true)) : 'none';
      const [largest] = of('float32').sort((a, b) => b.relative - a.relative);
      return [spec.op.name, ...sizes, gradient, isExact ? 'integers' : largest.reason];
    }),
  );
}

function boundsOf(spec: OpSpec, tolerance: ToleranceClass, isGradient: boolean): Bound[] {
  return spec
    .samples(new Random(1, spec.op.name))
    .map(({ inputs, attributes = {} }) => spec.bound(tolerance, { inputs, attributes }, isGradient));
}

/** Smaller values are the allowance for denormals, which is left out. */
const NEGLIGIBLE = 1e-30;

function shown(bounds: readonly Bound[]): string {
  const range = (sizes: readonly number[], unit = '') => {
    const ends = [...new Set([Math.min(...sizes), Math.max(...sizes)].map((size) => size.toPrecision(2)))];
    return ends
      .map((size) => (Number(size) === 0 ? 'exact' : `${Number(size).toExponential()}${unit}`))
      .join(' to ');
  };
  const absolute = bounds.filter(({ absolute }) => absolute > NEGLIGIBLE).map(({ absolute }) => absolute);
  const relative = bounds.filter(({ absolute }) => absolute <= NEGLIGIBLE).map(({ relative }) => relative);
  return [
    ...(relative.length > 0 ? [range(relative)] : []),
    ...(absolute.length > 0 ? [range(absolute, ' absolute')] : []),
  ].join(', ');
}

function architectures(): string {
  return table(
    ['network', 'converted from', 'recognised by tensors named'],
    [...ARCHITECTURES, mambaArchitecture()].map(({ family, title, anchors }) => [
      family,
      title,
      anchors.map((anchor) => `\`${anchor}${anchor.endsWith('.') ? '*' : ''}\``).join(', '),
    ]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of DOCUMENTS) writeFileSync(join(ROOT, name), withTables(readDocument(name)));
}
