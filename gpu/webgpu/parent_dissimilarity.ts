/**
 * ParentDissimilarity and its gradient; the formulas are in plugin/cpu/slopes.ts. Several threads share an edge and a group
 * of channels. In the gradient a thread has a channel of a vertex and sums over its parent and children, because threads
 * cannot add to one another's sums; for the cosine, products and norms are computed by a first dispatch.
 */
import { type Metric, SMALLEST_NORM } from '../../plugin/ops/edge_dissimilarity.js';
import { ParentDissimilarity, ParentDissimilarityGradient } from '../../plugin/ops/parent_dissimilarity.js';
import { elements } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { rows } from './rows.js';
import { planOf } from './tree_plan.js';

/** The term of two channels a, b of the two ends in a sum. */
const TERMS = { cosine: 'a * b', euclidean: '(a - b) * (a - b)', manhattan: 'abs(a - b)' };

const INVERSE_NORM = `
fn inverse_norm(squares: f32) -> f32 { return 1.0 / max(${SMALLEST_NORM}, sqrt(squares)); }
`;

/** A row is a group of channels at a position of the order; a vertex of a batch is identified by its row of features. */
const weigh = rows(
  'parent_dissimilarity',
  ({ metric, forGradient }: { metric: Metric; forGradient: boolean }) => ({
    reads: { features: 'f32', order: 'u32', parent: 'u32' },
    writes: (forGradient ? { cosines: 'vec2<f32>' } : { distance: 'f32' }) as Record<string, string>,
    numbers: { numVertices: 'u32', groups: 'u32' },
    functions: INVERSE_NORM,
    body: `
      let place = row / numbers.groups;
      let group = row % numbers.groups;
      let firstPlace = place - place % numbers.numVertices;
      let entry = (firstPlace + order[place]) * numbers.groups + group;
      let above = (firstPlace + order[firstPlace + parent[place]]) * numbers.groups + group;
      var sum = 0.0;
      var squares = vec2(0.0);
      FOR_CHANNELS(c) {
        let a = features[entry * numbers.channels + c];
        let b = features[above * numbers.channels + c];
        sum += ${TERMS[metric]};
        ${metric === 'cosine' ? 'squares += vec2(a * a, b * b);' : ''}
      }
      let total = sum_of_row(lane, sum);
      ${metric === 'cosine' ? COSINE : 'let result = total;'}
      if (isFirst) {
        ${forGradient ? KEEP_COSINE : 'distance[entry] = select(0.0, result, place > firstPlace);'}
      }
    `,
  }),
);

const COSINE = `
      let norms = sums_of_row(lane, squares);
      let result = -total * inverse_norm(norms.x) * inverse_norm(norms.y);
`;

/** The cosine and the inverse norm of the vertex, 0 where the norm has no gradient. */
const KEEP_COSINE = 'cosines[entry] = vec2(-result, select(0.0, inverse_norm(norms.x), norms.x > 0.0));';

/**
 * The contribution of an edge to the gradient of one end. `edge`, `here` and `there` are indices of the groups of the edge's
 * child end and of both ends. For the cosine, a clamped norm has no gradient.
 */
const SLOPES = {
  cosine: `
    let inverse = cosines[here].y;
    let along = select(0.0, cosines[edge].x * own * inverse, inverse < ${0.99999 / SMALLEST_NORM});
    return -dy[edge] * inverse * (other * cosines[there].y - along);
  `,
  euclidean: 'return 2.0 * dy[edge] * (own - other);',
  manhattan: 'return dy[edge] * sign(own - other);',
};

const differentiate = elements('parent_dissimilarity_gradient', ({ metric }: { metric: Metric }) => ({
  reads: {
    features: 'f32',
    dy: 'f32',
    plan: 'u32',
    ...(metric === 'cosine' && { cosines: 'vec2<f32>' }),
  },
  writes: { dfeatures: 'f32' },
  numbers: { numVertices: 'u32', channels: 'u32', groups: 'u32' },
  functions: `
    fn slope(own: f32, other: f32, edge: u32, here: u32, there: u32) -> f32 { ${SLOPES[metric]} }
  `,
  body: `
    let channels = numbers.channels;
    let channel = i % channels;
    let group = channel / (channels / numbers.groups);
    let position = i / channels % numbers.numVertices;
    let firstVertex = i / channels - position;
    let children = firstVertex * 4 + firstVertex / numbers.numVertices * 4 + numbers.numVertices + 3;
    let parents = children + numbers.numVertices + 1;
    let vertices = parents + numbers.numVertices;

    let vertex = firstVertex + plan[vertices + position];
    let own = features[vertex * channels + channel];
    let here = vertex * numbers.groups + group;
    var sum = 0.0;
    if (position > 0) {
      let above = firstVertex + plan[vertices + plan[parents + position]];
      let there = above * numbers.groups + group;
      sum += slope(own, features[above * channels + channel], here, here, there);
    }
    for (var child = plan[children + position]; child < plan[children + position + 1]; child++) {
      let below = firstVertex + plan[vertices + child];
      let there = below * numbers.groups + group;
      sum += slope(own, features[below * channels + channel], there, here, there);
    }
    dfeatures[vertex * channels + channel] = sum;
  `,
}));

registerWebgpuKernel(
  ParentDissimilarity,
  ({ inputs, outputs, shapes, attributes: { metric, groups }, ...running }) => {
    const [batch, numVertices, channels] = shapes.features;
    weigh(running, {
      rows: batch * numVertices * groups,
      channels: channels / groups,
      variant: { metric, forGradient: false },
      numbers: { numVertices, groups },
      bind: { ...inputs, ...outputs },
    });
  },
);

registerWebgpuKernel(
  ParentDissimilarityGradient,
  ({ inputs, outputs, shapes, attributes: { metric, groups }, scratch, runner, ...running }) => {
    const [batch, numVertices, channels] = shapes.features;
    if (batch * channels === 0) return;
    const numbers = { numVertices, channels, groups };
    const numGroups = batch * numVertices * groups;
    const cosines = metric === 'cosine' ? scratch(8 * numGroups) : undefined;
    if (cosines) {
      weigh(running, {
        rows: numGroups,
        channels: channels / groups,
        variant: { metric, forGradient: true },
        numbers,
        bind: { ...inputs, cosines },
      });
    }
    differentiate(running, {
      size: batch * numVertices * channels,
      variant: { metric },
      numbers,
      bind: { ...inputs, ...outputs, cosines, plan: planOf(runner, inputs) },
    });
  },
);
