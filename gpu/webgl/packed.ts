/**
 * tfjs's packed layout: a texel holds a 2 x 2 block of the last two axes, (row, column), (row, column + 1), (row + 1,
 * column), (row + 1, column + 1), and blocks follow each other row-major, batch after batch. Here texels are addressed by
 * their index in this order: it does not depend on how tfjs folds a tensor into a texture, so that a compiled shader serves
 * every size. (tfjs's own samplers do not: for a batch of one they are specialised to the first size for which they are
 * compiled.)
 */

import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../plugin/kernels/sizes.js';

/** GLSL prelude of the programs in this folder. */
const PACKED = `
  // Running number of the texel of a packed [batch, rows, columns] tensor that holds (row, column).
  int texelIndex(int batch, int row, int column, int rows, int columns) {
    return (batch * ((rows + 1) / 2) + row / 2) * ((columns + 1) / 2) + column / 2;
  }

  // Where a texel is, and the place some texels further on: loops step, since integer division is slow on a GPU.
  ivec2 placeOf(ivec2 texShape, int index) {
    int width = max(1, (texShape[1] + 1) / 2);
    return ivec2(index % width, index / width);
  }

  vec4 texelAt(sampler2D tensor, ivec2 texShape, int index) {
    return texelFetch(tensor, placeOf(texShape, index), 0);
  }

  ivec2 stepFrom(ivec2 place, ivec2 texels, int width) {
    place += texels;
    return place.x < width ? place : ivec2(place.x - width, place.y + 1);
  }

  // Two neighbouring columns of one row.
  vec2 rowOf(vec4 texel, int row) {
    return row % 2 == 0 ? texel.xy : texel.zw;
  }

  float elementOf(vec4 texel, int row, int column) {
    vec2 columns = rowOf(texel, row);
    return column % 2 == 0 ? columns.x : columns.y;
  }
`;

/** Returns the shape [batch, rows, columns] under which a tensor of any rank has the same texels. */
export function as3D(shape: readonly number[]): [number, number, number] {
  const [rows, columns] = [1, 1, ...shape].slice(-2);
  return [sizeOf(shape.slice(0, -2)), rows, columns];
}

/** Views a tensor in that shape. */
export function view3D(tensor: TensorInfo): TensorInfo {
  return { ...tensor, shape: as3D(tensor.shape) };
}

/** The definition of a program. */
interface Sheet {
  /** Names of samplers in the code, in the order of the input tensors. */
  readonly inputs: string[];
  /** Names of numbers in the code, in the order in which they are passed. */
  readonly uniforms?: Readonly<Record<string, 'int' | 'float'>>;
  readonly packedOutput?: boolean;
  /** GLSL functions, appended to {@link PACKED}. */
  readonly functions?: string;
  /** GLSL of an invocation: `ivec3 at` is the first element of its texel or, if the output is not packed, `int index`. */
  readonly body: string;
}

/** A program of this folder in the form that tfjs runs. */
export class PackedProgram {
  readonly packedInputs = true;
  readonly packedOutput: boolean;
  /** Sizes are uniforms, so that a new size needs no compilation. */
  readonly enableShapeUniforms = true;
  readonly outputShape: number[];
  readonly variableNames: string[];
  readonly customUniforms: { name: string; type: 'int' | 'float' }[];
  readonly userCode: string;

  constructor(
    shape: readonly number[],
    { inputs, uniforms = {}, packedOutput = true, functions = '', body }: Sheet,
  ) {
    this.outputShape = [...shape];
    this.variableNames = inputs;
    this.customUniforms = Object.entries(uniforms).map(([name, type]) => ({ name, type }));
    this.packedOutput = packedOutput;
    const place = packedOutput
      ? 'ivec3 at = getOutputCoords();'
      : 'int index = int(gl_FragCoord.y) * outTexShape[1] + int(gl_FragCoord.x);';
    this.userCode = `
      ${PACKED}
      ${functions}
      void main() {
        ${place}
        ${body}
      }
    `;
  }
}
