/**
 * BottleneckFilter: one workgroup per image; see plugin/cpu/bottleneck_filter.ts for the method. All invocations sort the
 * edges, one joins components along them, and each channel has an invocation that passes its sums up and down the binary
 * tree of the joins. Vertices are positions in the order; the sums of weights are an additional channel.
 */
import { BottleneckFilter } from '../../plugin/ops/bottleneck_filter.js';
import { floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { entryPoint, programs } from './program.js';
import { ORDERED, SORT_RANGE } from './sorting.js';

/** Exponent beyond which exp underflows float32. */
const MOST = 104;
/** Words per vertex: its key, its position in the sorted order, the one above it, its node, and both nodes of a join. */
const WORDS = 6;

const filter = programs('bottleneck_filter', ({ lanes }: { lanes: number }) => ({
  reads: { ...floats('x', 'distance'), order: 'u32', parent: 'u32' },
  writes: { ...floats('y', 'sums'), words: 'u32' },
  numbers: { batch: 'u32', numVertices: 'u32', channels: 'u32', squaredZeta: 'f32' },
  code: `
const LANES = ${lanes}u;
var<private> firstWord: u32;
var<private> firstVertex: u32;

/** Of the i-th edge in order: first its key, then its affinity; and the position of its lower end. */
fn keyAt(i: u32) -> u32 { return firstWord + i; }
fn lowerAt(i: u32) -> u32 { return firstWord + numbers.numVertices + i; }
/** Of a position: the one above it in its component, and the node that the component is. */
fn aboveAt(position: u32) -> u32 { return firstWord + 2 * numbers.numVertices + position; }
fn nodeAt(position: u32) -> u32 { return firstWord + 3 * numbers.numVertices + position; }
/** Of a join: the nodes that it joins. */
fn leftAt(i: u32) -> u32 { return firstWord + 4 * numbers.numVertices + i; }
fn rightAt(i: u32) -> u32 { return firstWord + 5 * numbers.numVertices + i; }
/** Of a node: the sum of its vertices, and what they are given from beyond it. */
fn sumAt(node: u32, channel: u32) -> u32 {
  return (2 * firstVertex + node) * (numbers.channels + 1) + channel;
}
fn givenAt(node: u32, channel: u32) -> u32 {
  return sumAt(node + 2 * numbers.batch * numbers.numVertices, channel);
}

fn sync() { storageBarrier(); }
fn sortPair(first: u32, second: u32) {
  let keys = vec2(words[keyAt(first)], words[keyAt(second)]);
  if (keys.x <= keys.y) { return; }
  words[keyAt(first)] = keys.y;
  words[keyAt(second)] = keys.x;
  let lower = words[lowerAt(first)];
  words[lowerAt(first)] = words[lowerAt(second)];
  words[lowerAt(second)] = lower;
}
${ORDERED}
${SORT_RANGE}

fn distanceOf(position: u32) -> f32 { return distance[firstVertex + order[firstVertex + position]]; }
fn affinityOf(length: f32) -> f32 {
  if (length > ${MOST}.0 * numbers.squaredZeta) { return 0.0; }
  return exp(-length / numbers.squaredZeta);
}

fn topOf(position: u32) -> u32 {
  var at = position;
  loop {
    let above = words[aboveAt(at)];
    if (above == at) { return at; }
    words[aboveAt(at)] = words[aboveAt(above)];
    at = above;
  }
}

fn join(i: u32) {
  let lower = words[lowerAt(i)];
  let a = topOf(lower);
  let b = topOf(parent[firstVertex + lower]);
  words[leftAt(i)] = words[nodeAt(a)];
  words[rightAt(i)] = words[nodeAt(b)];
  words[aboveAt(a)] = b;
  words[nodeAt(b)] = numbers.numVertices + i;
}

fn valueAt(position: u32, channel: u32) -> f32 {
  if (channel == numbers.channels) { return 1.0; }
  return x[(firstVertex + order[firstVertex + position]) * numbers.channels + channel];
}

fn sumOver(channel: u32) {
  let numVertices = numbers.numVertices;
  for (var i = 0u; i < numVertices; i++) { sums[sumAt(i, channel)] = valueAt(i, channel); }
  for (var i = 0u; i + 1 < numVertices; i++) {
    let left = sums[sumAt(words[leftAt(i)], channel)];
    sums[sumAt(numVertices + i, channel)] = left + sums[sumAt(words[rightAt(i)], channel)];
  }
  sums[givenAt(2 * numVertices - 2, channel)] = 0.0;
  for (var i = numVertices - 1; i > 0; i--) {
    let affinity = bitcast<f32>(words[keyAt(i - 1)]);
    let left = words[leftAt(i - 1)];
    let right = words[rightAt(i - 1)];
    let given = sums[givenAt(numVertices + i - 1, channel)];
    sums[givenAt(left, channel)] = given + affinity * sums[sumAt(right, channel)];
    sums[givenAt(right, channel)] = given + affinity * sums[sumAt(left, channel)];
  }
}

${entryPoint(lanes)} {
  let image = linearWorkgroup(id, count);
  if (image >= numbers.batch) { return; }
  let numVertices = numbers.numVertices;
  let channels = numbers.channels;
  firstVertex = image * numVertices;
  firstWord = ${WORDS} * firstVertex;
  for (var i = lane; i < numVertices; i += LANES) {
    words[aboveAt(i)] = i;
    words[nodeAt(i)] = i;
    if (i > 0) {
      words[keyAt(i - 1)] = ordered(bitcast<u32>(distanceOf(i)));
      words[lowerAt(i - 1)] = i;
    }
  }
  sync();
  sortRange(lane, 0, numVertices - 1);
  for (var i = lane; i + 1 < numVertices; i += LANES) {
    words[keyAt(i)] = bitcast<u32>(affinityOf(distanceOf(words[lowerAt(i)])));
  }
  if (lane == 0) {
    for (var i = 0u; i + 1 < numVertices; i++) { join(i); }
  }
  sync();
  for (var channel = lane; channel <= channels; channel += LANES) { sumOver(channel); }
  sync();
  for (var i = lane; i < numVertices * channels; i += LANES) {
    let position = i / channels;
    let channel = i % channels;
    let sum = sums[givenAt(position, channel)] + valueAt(position, channel);
    let vertex = firstVertex + order[firstVertex + position];
    y[vertex * channels + channel] = sum / (sums[givenAt(position, channels)] + 1.0);
  }
}`,
}));

registerWebgpuKernel(
  BottleneckFilter,
  ({ inputs, outputs, shapes, attributes: { zeta }, dispatch, limits: { lanes }, scratch }) => {
    const [batch, numVertices, channels] = shapes.x;
    dispatch(filter({ lanes }), {
      bind: {
        ...inputs,
        ...outputs,
        words: scratch(4 * WORDS * batch * numVertices),
        sums: scratch(16 * batch * numVertices * (channels + 1)),
      },
      numbers: { batch, numVertices, channels, squaredZeta: zeta ** 2 },
      workgroups: channels === 0 ? 0 : batch,
    });
  },
);
