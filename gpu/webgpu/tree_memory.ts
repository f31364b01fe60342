/**
 * Memory in which a workgroup builds the tree of an image: workgroup memory with two 16-bit numbers per word if it suffices,
 * else a buffer with one number per word. Programs access both through `getShort` and `setShort`.
 */
import type { KernelLimits } from './runner.js';

export type TreeMemory = {
  /** Whether there are two numbers per word. */
  readonly packed: boolean;
  /** Words per image. */
  readonly words: number;
  readonly lanes: number;
};

/** Further workgroup memory: a sum for each invocation, and a few shared numbers. */
const OTHER_WORDS = 16;
/** Sizes are rounded up to one of these, so that few variants are compiled. */
const TIERS = [4096, 8192, 16384, 32768, 49152, 65536];
/** Ids and twice their number fit 16 bits. */
const MOST_IN_WORKGROUP = 2 ** 15;

/** While components are joined: see boruvka_mst.ts; then 5 V numbers for the order. */
function wordsOf(numVertices: number, numEdges: number, packed: boolean): number {
  const joining = (packed ? 2 * numVertices : 3 * numVertices + 1) + Math.ceil(numEdges / 32);
  return Math.max(joining, packed ? Math.ceil(2.5 * numVertices) : 5 * numVertices + 1);
}

export function treeMemory(numVertices: number, numEdges: number, limits: KernelLimits): TreeMemory {
  const lanes = lanesFor(numVertices, limits);
  const words = wordsOf(numVertices, numEdges, true);
  const bytesWith = (words: number) => 4 * (words + lanes + OTHER_WORDS);
  const { workgroupBytes } = limits;
  if (numVertices <= MOST_IN_WORKGROUP && bytesWith(words) <= workgroupBytes) {
    const bytes = Math.min(workgroupBytes, TIERS.find((tier) => bytesWith(words) <= tier) ?? workgroupBytes);
    return { packed: true, words: bytes / 4 - lanes - OTHER_WORDS, lanes };
  }
  return { packed: false, words: wordsOf(numVertices, numEdges, false), lanes };
}

/** Small graphs use fewer invocations, which reduces waiting at barriers. */
export function lanesFor(numVertices: number, { lanes }: KernelLimits): number {
  let few = 64;
  while (few < numVertices) few *= 2;
  return Math.min(few, lanes);
}

/** WGSL: `memory` and its accessors, for an image that begins at word `memoryStart`. */
export function memoryCode({ packed, words, lanes }: TreeMemory): string {
  const common = `
const LANES = ${lanes}u;
var<workgroup> sums: array<u32, ${lanes}>;
var<workgroup> raised: atomic<u32>;
var<workgroup> agreed: u32;

/** Whether it is so for any lane; the same in all. 'raised' is 0 before and after. */
fn anyLane(lane: u32, isSo: bool) -> bool {
  if (isSo) { atomicStore(&raised, 1); }
  workgroupBarrier();
  if (lane == 0) { agreed = atomicExchange(&raised, 0); }
  return workgroupUniformLoad(&agreed) != 0;
}
`;
  if (packed) {
    return `${common}
var<workgroup> memory: array<atomic<u32>, ${words}>;
const memoryStart = 0u;

fn getShort(i: u32) -> u32 { return (atomicLoad(&memory[i / 2]) >> (16 * (i & 1))) & 0xffff; }
/** The lanes that write the other half of a word do not see this half. */
fn setShort(i: u32, old: u32, value: u32) { atomicXor(&memory[i / 2], (old ^ value) << (16 * (i & 1))); }
fn addToShort(i: u32, value: u32) -> u32 {
  let shift = 16 * (i & 1);
  return (atomicAdd(&memory[i / 2], value << shift) >> shift) & 0xffff;
}
/** From number 'first' to 'end', which begin words. */
fn clearShorts(lane: u32, first: u32, end: u32) {
  for (var i = first / 2 + lane; i < (end + 1) / 2; i += LANES) { atomicStore(&memory[i], 0); }
}
fn sync() { workgroupBarrier(); }
/** For a barrier of the workgroup to order 'memory'. */
fn syncBuffer() {}
`;
  }
  return `${common}
var<private> memoryStart: u32;

fn getShort(i: u32) -> u32 { return atomicLoad(&memory[memoryStart + i]); }
fn setShort(i: u32, old: u32, value: u32) { atomicStore(&memory[memoryStart + i], value); }
fn addToShort(i: u32, value: u32) -> u32 { return atomicAdd(&memory[memoryStart + i], value); }
fn clearShorts(lane: u32, first: u32, end: u32) {
  for (var i = first + lane; i < end; i += LANES) { atomicStore(&memory[memoryStart + i], 0); }
}
fn sync() { storageBarrier(); workgroupBarrier(); }
fn syncBuffer() { storageBarrier(); }
`;
}
