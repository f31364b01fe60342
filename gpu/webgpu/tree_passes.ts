/**
 * Sums along trees, or their gradients, in one dispatch: one workgroup for each image and every 8 channels, level by level,
 * with a barrier per level. An invocation has a channel and a strided subset of the positions of a level, the same in both
 * passes, so that values it writes for a position in the first pass may be read in the second. The vertices of the next
 * level are prefetched.
 *
 * Values passed from a level to the next are in workgroup memory, in a ring buffer by position. It fits trees in which two
 * consecutive levels span at most `ring` positions, as those of images do; for others they are passed through the outputs.
 */
import { entryPoint, type ProgramDefinition } from './program.js';
import type { KernelLimits } from './runner.js';

export type TreePasses = {
  /** Channels per workgroup, a power of two. */
  readonly tile: number;
  readonly lanes: number;
  /** Positions in the ring buffer, a power of two. */
  readonly ring: number;
};

/** A sector of 32 bytes. */
const MOST_CHANNELS = 8;
/** Two levels of 128 vertices: in trees of 56 x 56 vertices the widest have 23 to 46. */
const MOST_POSITIONS = 256;
/** Numbers of vertices that select the number of invocations: levels of small trees are narrow. */
const FEW_VERTICES = 256;
const SOME_VERTICES = 1024;

/** @param numHanded number of values that a position passes on for each channel */
export function treePasses(
  [, numVertices, channels]: readonly number[],
  numHanded: number,
  limits: KernelLimits,
): TreePasses {
  let tile = 1;
  while (tile < Math.min(channels, MOST_CHANNELS)) tile *= 2;
  const useful = numVertices <= FEW_VERTICES ? 64 : numVertices <= SOME_VERTICES ? 128 : 256;
  const lanes = Math.max(tile, Math.min(useful, limits.lanes));
  let ring = MOST_POSITIONS;
  while (ring > 1 && 4 * numHanded * tile * ring > limits.workgroupBytes) ring /= 2;
  return { tile, lanes, ring };
}

/** Bindings that every pass needs. */
export function treeBindings({ reads, writes }: Pick<ProgramDefinition, 'reads' | 'writes'>) {
  return {
    reads: { decay: 'f32', plan: 'u32', ...reads },
    writes,
    numbers: { numVertices: 'u32', channels: 'u32', decays: 'u32', tiles: 'u32', workgroups: 'u32' },
  } as const;
}

/** @param decays per vertex: one for each group of adjacent channels */
export function treeNumbers(
  { tile }: TreePasses,
  [batch, numVertices, channels]: readonly number[],
  decays: number,
) {
  const tiles = Math.ceil(channels / tile);
  return { numVertices, channels, decays, tiles, workgroups: batch * tiles };
}

/** WGSL of a pass. */
export interface TreePass {
  /** Prefetched values of a vertex: a vec4<f32> of `position` and of `at`, the index of its value. */
  readonly values: string;
  /** The values that `visit` has passed on from a `vertex`, read from the outputs; `at` is the index of its value. */
  readonly stored: string;
  /**
   * What is done with an `item: Item`: it calls `withChildren(item, own)` for the sum of its own values and those passed on
   * by its children, or `parentAt(position)` for those of its parent, and `hand(item, values)`.
   */
  readonly visit: string;
}

interface TreeCode {
  /** Type of the values that a position passes on. */
  readonly handed: 'f32' | 'vec2<f32>';
  /** Leaves to root, before the other. */
  readonly up?: TreePass;
  /** Root to leaves. */
  readonly down?: TreePass;
}

export function treeCode({ tile, lanes, ring }: TreePasses, { handed, up, down }: TreeCode): string {
  return `
const TILE = ${tile}u;
const ROWS = ${lanes / tile}u;
const RING = ${ring}u;
alias Handed = ${handed};

/** A position of the order, and what is read of its vertex. */
struct Item {
  position: u32,
  at: u32, // of the vertex among all values
  decay: f32,
  firstChild: u32,
  endOfChildren: u32,
  parent: u32,
  values: vec4<f32>,
}

var<workgroup> ring: array<Handed, ${ring * tile}>;
var<private> column: u32;
var<private> isInside: bool;
var<private> inRing: bool;
var<private> firstValue: u32;
var<private> firstDecay: u32;
var<private> children: u32;
var<private> parents: u32;
var<private> vertices: u32;

fn atOf(position: u32) -> u32 { return firstValue + plan[vertices + position] * numbers.channels; }
fn decayOf(vertex: u32) -> f32 { return decay[firstDecay + vertex * numbers.decays]; }
fn hand(item: Item, values: Handed) { ring[(item.position % RING) * TILE + column] = values; }
fn inRingAt(position: u32) -> Handed { return ring[(position % RING) * TILE + column]; }

/** Of the vertices of a level from 'position' on, this lane's first. */
fn vertexAt(position: u32, end: u32) -> u32 {
  if (position >= end) { return 0; }
  return plan[vertices + position];
}
${up ? passCode('Up', up) : ''}
${down ? passCode('Down', down) : ''}

${entryPoint(lanes)} {
  let group = linearWorkgroup(id, count);
  if (group >= numbers.workgroups) { return; }
  let numVertices = numbers.numVertices;
  let image = group / numbers.tiles;
  let start = image * (4 * numVertices + 4);
  let levels = plan[start];
  let fits = plan[start + 1] <= RING;
  let starts = start + 2;
  let row = lane / TILE;
  let channel = group % numbers.tiles * TILE + lane % TILE;
  column = lane % TILE;
  isInside = channel < numbers.channels;
  inRing = fits;
  firstValue = image * numVertices * numbers.channels + channel;
  firstDecay = image * numVertices * numbers.decays + channel / (numbers.channels / numbers.decays);
  children = starts + numVertices + 1;
  parents = children + numVertices + 1;
  vertices = parents + numVertices;
  ${up ? UP : ''}
  ${down ? DOWN : ''}
}`;
}

const WITH_CHILDREN = `
fn withChildren(item: Item, own: Handed) -> Handed {
  var sum = own;
  for (var child = item.firstChild; child < item.endOfChildren; child++) { sum += childAt(child); }
  return sum;
}
`;

const passCode = (pass: 'Up' | 'Down', { values, stored, visit }: TreePass) => `
fn ${pass === 'Up' ? 'childAt' : 'parentAt'}(position: u32) -> Handed {
  if (inRing) { return inRingAt(position); }
  let vertex = plan[vertices + position];
  let at = firstValue + vertex * numbers.channels;
  return ${stored};
}
${pass === 'Up' ? WITH_CHILDREN : ''}

fn visit${pass}(item: Item) {
  ${visit}
}

fn read${pass}(position: u32, end: u32, vertex: u32) -> Item {
  var item: Item;
  item.position = position;
  if (position >= end || !isInside) { return item; }
  let at = firstValue + vertex * numbers.channels;
  item.at = at;
  item.decay = decayOf(vertex);
  ${
    pass === 'Up'
      ? 'item.firstChild = plan[children + position]; item.endOfChildren = plan[children + position + 1];'
      : 'item.parent = plan[parents + position];'
  }
  item.values = ${values};
  return item;
}

/** The vertices of a level; the first of each lane is read. */
fn level${pass}(first: Item, end: u32) {
  if (!isInside || first.position >= end) { return; }
  visit${pass}(first);
  for (var i = first.position + ROWS; i < end; i += ROWS) { visit${pass}(read${pass}(i, end, vertexAt(i, end))); }
}
`;

/** If levels pass values on in workgroup memory, there is no need to wait for buffers. */
const BARRIER = 'if (fits) { workgroupBarrier(); } else { storageBarrier(); }';

const UP = `{
  var end = numVertices;
  var begin = plan[starts + levels - 1];
  var first = readUp(begin + row, end, vertexAt(begin + row, end));
  var above = plan[starts + max(levels, 2) - 2];
  var vertex = vertexAt(above + row, begin);
  for (var level = levels; level > 0; level--) {
    let next = readUp(above + row, begin, vertex);
    let beyond = plan[starts + max(level, 3) - 3];
    vertex = vertexAt(beyond + row, above);
    levelUp(first, end);
    ${BARRIER}
    first = next;
    end = begin;
    begin = above;
    above = beyond;
  }
}`;

const DOWN = `{
  var end = plan[starts + 1];
  var first = readDown(row, end, vertexAt(row, end));
  var below = plan[starts + min(levels, 2)];
  var vertex = vertexAt(end + row, below);
  for (var level = 0u; level < levels; level++) {
    let next = readDown(end + row, below, vertex);
    let beyond = plan[starts + min(level + 3, levels)];
    vertex = vertexAt(below + row, beyond);
    levelDown(first, end);
    ${BARRIER}
    first = next;
    end = below;
    below = beyond;
  }
}`;
