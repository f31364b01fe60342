import { PACKED, PackedProgram } from '../packed.js';

/**
 * Images [M, P, Q * C] made of images x [N, H, W * C] by separable maps of rows and columns. A texel of `tables` for every
 * (term, position) holds the first tap, the number of taps, and where their weights start; `terms` has the first term of
 * an image of y and the one behind the last, then an image of x for every term. `weights` are four in a texel.
 */
export class ResampleProgram extends PackedProgram {
  readonly variableNames = ['x', 'starts', 'terms', 'tables', 'weights'];
  override readonly customUniforms = [
    { name: 'height', type: 'int' as const },
    { name: 'width', type: 'int' as const },
    { name: 'rows', type: 'int' as const },
    { name: 'columns', type: 'int' as const },
  ];
  readonly userCode = `
    ${PACKED}
    float weightAt(int index) {
      return texelAt(weights, weightsTexShape, index / 4)[index % 4];
    }

    // Two channels of a pixel.
    vec2 valueOf(int image, int q, int channel) {
      ivec2 range = ivec2(texelAt(starts, startsTexShape, image / rows).xy);
      int p = image % rows;
      vec2 sum = vec2(0);
      for (int term = range.x; term < range.y; term++) {
        ivec2 source = ivec2(texelAt(terms, termsTexShape, term).xy);
        int table = source.y * (rows + columns);
        ivec3 row = ivec3(texelAt(tables, tablesTexShape, table + p).xyz);
        ivec3 column = ivec3(texelAt(tables, tablesTexShape, table + rows + q).xyz);
        for (int r = 0; r < row.y; r++) {
          int line = source.x * height + row.x + r;
          vec2 ofRow = vec2(0);
          for (int s = 0; s < column.y; s++) {
            int at = column.x + s;
            vec4 texel = texelAt(x, xTexShape, texelIndex(line, at, channel, width, outShape[2]));
            ofRow += weightAt(column.z + s) * rowOf(texel, at);
          }
          sum += weightAt(row.z + r) * ofRow;
        }
      }
      return sum;
    }

    void main() {
      ivec3 at = getOutputCoords();
      vec2 below = at.y + 1 < columns ? valueOf(at.x, at.y + 1, at.z) : vec2(0);
      setOutput(vec4(valueOf(at.x, at.y, at.z), below));
    }
  `;
}
