import { type Metric, SMALLEST_NORM } from '../../../plugin/ops/edge_dissimilarity.js';
import { PACKED, PackedProgram } from '../packed.js';

/** What two channels u, v of the ends add to the sums, and the result. */
const METRICS: Readonly<Record<Metric, { add: string; result: string }>> = {
  cosine: {
    add: 'sums += u * v; squaresU += u * u; squaresV += v * v;',
    result: `-(total(sums) / max(${SMALLEST_NORM}, sqrt(total(squaresU)))) / max(${SMALLEST_NORM}, sqrt(total(squaresV)))`,
  },
  euclidean: { add: 'sums += (u - v) * (u - v);', result: 'total(sums)' },
  manhattan: { add: 'sums += abs(u - v);', result: 'total(sums)' },
};

/**
 * [B, E] dissimilarities, one invocation an edge, from features [B, V, D] and edges [E, 2]. Norms are summed again for
 * every edge: that is arithmetic on texels which are read anyway, and saves a draw.
 */
export class EdgeDissimilarityProgram extends PackedProgram {
  override readonly packedOutput = false;
  readonly variableNames = ['features', 'edges'];
  override readonly customUniforms = [
    { name: 'vertices', type: 'int' as const },
    { name: 'channels', type: 'int' as const },
  ];
  readonly userCode: string;

  /** @param shape [B, E] */
  constructor(shape: number[], metric: Metric) {
    super(shape);
    const { add, result } = METRICS[metric];
    this.userCode = `
      ${PACKED}
      float total(vec2 partial) {
        return partial.x + partial.y;
      }

      void main() {
        int index = int(gl_FragCoord.y) * outTexShape[1] + int(gl_FragCoord.x);
        int batch = index / outShape[1];
        int edge = index % outShape[1];
        ivec2 ends = ivec2(rowOf(texelAt(edges, edgesTexShape, edge / 2), edge));
        ivec2 first = placeOf(featuresTexShape, texelIndex(batch, ends.x, 0, vertices, channels));
        ivec2 second = placeOf(featuresTexShape, texelIndex(batch, ends.y, 0, vertices, channels));
        int width = (featuresTexShape[1] + 1) / 2;
        vec2 sums = vec2(0);
        vec2 squaresU = vec2(0);
        vec2 squaresV = vec2(0);
        for (int channel = 0; channel < channels; channel += 2) {
          vec2 u = rowOf(texelFetch(features, first, 0), ends.x);
          vec2 v = rowOf(texelFetch(features, second, 0), ends.y);
          if (channel + 1 == channels) {
            u.y = 0.0;
            v.y = 0.0;
          }
          ${add}
          first = stepFrom(first, ivec2(1, 0), width);
          second = stepFrom(second, ivec2(1, 0), width);
        }
        setOutput(${result});
      }
    `;
  }
}
