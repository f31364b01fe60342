/**
 * EdgeDissimilarity, equal bit for bit to plugin/cpu/edge_dissimilarity.ts, as far as a device keeps denormals. Eight
 * invocations share an edge: each holds one of the eight interleaved partial sums, so that together they read whole sectors.
 * The norms of both ends are computed for every edge: their rows are read anyway, and it takes only one dispatch.
 *
 * WGSL lets a compiler fuse a product and a sum, and reorder sums. `pinned` (functions.ts) prevents both.
 */
import { EdgeDissimilarity } from '../../plugin/ops/edge_dissimilarity.js';
import { FLOAT64 } from './float64.js';
import { PINNED } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';
import { entryPoint, programs } from './program.js';

/** Partial sums of an edge. */
const PARTS = 8;

const TERMS = {
  cosine: 'pinned(a * b)',
  euclidean: 'pinned(pinned(a - b) * pinned(a - b))',
  manhattan: 'abs(pinned(a - b))',
};

const weigh = programs(
  'edge_dissimilarity',
  ({ metric, lanes }: { metric: keyof typeof TERMS; lanes: number }) => {
    const isCosine = metric === 'cosine';
    return {
      reads: { features: 'f32', edges: 'vec2<i32>' },
      writes: { weights: 'u32' },
      numbers: { size: 'u32', numEdges: 'u32', numVertices: 'u32', channels: 'u32', zero: 'u32' },
      code: `
${isCosine ? FLOAT64 + COSINE : ''}
${PINNED}
/** Partial sums of the dot product or distance, and of both squares. */
var<workgroup> sums: array<vec3<f32>, ${lanes}>;

fn pair(first: u32, second: u32) -> vec3<f32> { return pinned3(sums[first] + sums[second]); }
fn pinned3(v: vec3<f32>) -> vec3<f32> { return bitcast<vec3<f32>>(bitcast<vec3<u32>>(v) ^ vec3(numbers.zero)); }
/** 8 to 4 to 2 to 1. */
fn folded(lane: u32) -> vec3<f32> {
  let even = pinned3(pair(lane, lane + 4) + pair(lane + 2, lane + 6));
  let odd = pinned3(pair(lane + 1, lane + 5) + pair(lane + 3, lane + 7));
  return even + odd;
}

${entryPoint(lanes)} {
  let at = linearWorkgroup(id, count) * ${lanes / PARTS} + lane / ${PARTS};
  let part = lane % ${PARTS};
  var sum = 0.0;
  var squaresU = 0.0;
  var squaresV = 0.0;
  if (at < numbers.size) {
    let edge = vec2<u32>(edges[at % numbers.numEdges]);
    let first = at / numbers.numEdges * numbers.numVertices;
    let u = (first + edge.x) * numbers.channels;
    let v = (first + edge.y) * numbers.channels;
    for (var d = part; d < numbers.channels; d += ${PARTS}) {
      let a = features[u + d];
      let b = features[v + d];
      sum = pinned(sum + ${TERMS[metric]});
      ${isCosine ? 'squaresU = pinned(squaresU + pinned(a * a)); squaresV = pinned(squaresV + pinned(b * b));' : ''}
    }
  }
  sums[lane] = vec3(sum, squaresU, squaresV);
  workgroupBarrier();
  if (part == 0 && at < numbers.size) {
    let total = bitcast<vec3<u32>>(folded(lane));
    weights[at] = ${isCosine ? 'minusCosine(total)' : 'total.x'};
  }
}`,
    };
  },
);

/** Computes the cosine from the bits of the dot product and of the squares; 1e-8 is the smallest norm. */
const COSINE = `
const SMALLEST_NORM = Double(vec2(0xe2308c3a, 0x15798e), -79);

fn normOf(squares: u32) -> Double {
  if (squares == 0) { return SMALLEST_NORM; }
  return largerOf(SMALLEST_NORM, rootOf(squares));
}

fn minusCosine(sums: vec3<u32>) -> u32 {
  let sign = ~sums.x & 0x80000000;
  let dot = sums.x & 0x7fffffff;
  let squares = sums.yz & vec2(0x7fffffffu);
  let largest = max(squares.x, squares.y);
  const INFINITY = 0x7f800000u;
  if (dot > INFINITY || largest > INFINITY || (dot == INFINITY && largest == INFINITY)) { return 0x7fc00000; }
  if (dot == INFINITY) { return sign | INFINITY; }
  if (dot == 0 || largest == INFINITY) { return sign; }
  return sign | quotientOf(dot, productOf(normOf(squares.x), normOf(squares.y)));
}
`;

registerWebgpuKernel(
  EdgeDissimilarity,
  ({ inputs, outputs, shapes, attributes: { metric }, dispatch, limits }) => {
    const [batch, numVertices, channels] = shapes.features;
    const [numEdges] = shapes.edges;
    const size = batch * numEdges;
    const { lanes } = limits;
    dispatch(weigh({ metric, lanes }), {
      bind: { ...inputs, ...outputs },
      numbers: { size, numEdges, numVertices, channels, zero: 0 },
      workgroups: Math.ceil((size * PARTS) / lanes),
    });
  },
);
