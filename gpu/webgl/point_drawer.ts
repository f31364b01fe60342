/**
 * Scatter in WebGL 2: draws points, one per invocation. A vertex shader reads any textures and computes where its values go.
 * If several points fall on one texel, the depth test keeps the nearest, which gives a minimum without blending of floats
 * (EXT_float_blend). Up to four textures are written in one draw.
 */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { throwIfLost, WebglContextLostError } from './context.js';

/** The definition of a program that draws points. */
export interface PointProgram {
  /** Textures that it reads, by `texelOf(texture, index)`. */
  readonly variableNames: readonly string[];
  /** Integers. Sizes are among them, so that a new size needs no compilation. */
  readonly uniforms: readonly string[];
  /**
   * GLSL that defines `int invocation(int point)`: sets `value0`, `value1`... and returns the index of the texel that they
   * go to, in every output texture, or NOWHERE. With `nearestWins` it also sets `nearness`, from 0 (nearest) to less than 1.
   */
  readonly code: string;
  /** Whether the nearest of several points at one texel is kept; otherwise no two points may fall on one texel. */
  readonly nearestWins?: boolean;
}

/** One draw. */
export interface PointDraw {
  readonly program: PointProgram;
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly uniforms: Readonly<Record<string, number>>;
  readonly points: number;
  /** Textures of equal size, written where points fall. */
  readonly outputs: readonly TensorInfo[];
  /** Value of the outputs where no point falls; undefined values by default. */
  readonly background?: number;
}

interface Compiled {
  readonly program: WebGLProgram;
  readonly locations: ReadonlyMap<string, WebGLUniformLocation | null>;
}

const MAX_OUTPUTS = 4;
const VALUES = Array.from({ length: MAX_OUTPUTS }, (_, i) => `value${i}`);
const OUTPUT_SIZE = 'outputSize';

function vertexShader({ variableNames, uniforms, code }: PointProgram): string {
  return `#version 300 es
    precision highp float;
    precision highp int;
    precision highp sampler2D;
    ${variableNames.map((name) => `uniform sampler2D ${name};`).join('\n')}
    ${uniforms.map((name) => `uniform int ${name};`).join('\n')}
    uniform ivec2 ${OUTPUT_SIZE};
    ${VALUES.map((name) => `flat out vec4 ${name};`).join('\n')}
    flat out float nearness;
    const int NOWHERE = -1;

    vec4 texelOf(sampler2D tensor, int index) {
      int width = textureSize(tensor, 0).x;
      return texelFetch(tensor, ivec2(index % width, index / width), 0);
    }

    ${code}

    void main() {
      ${VALUES.map((name) => `${name} = vec4(0);`).join('\n')}
      nearness = 0.0;
      int texel = invocation(gl_VertexID);
      gl_PointSize = 1.0;
      vec2 place = vec2(texel % ${OUTPUT_SIZE}.x, texel / ${OUTPUT_SIZE}.x) + 0.5;
      gl_Position = texel < 0 ? vec4(2, 2, 2, 1) : vec4(2.0 * place / vec2(${OUTPUT_SIZE}) - 1.0, 0, 1);
    }
  `;
}

function fragmentShader({ nearestWins }: PointProgram): string {
  return `#version 300 es
    precision highp float;
    ${VALUES.map((name, i) => `flat in vec4 ${name}; layout(location = ${i}) out vec4 output${i};`).join('\n')}
    flat in float nearness;
    void main() {
      ${VALUES.map((name, i) => `output${i} = ${name};`).join('\n')}
      ${nearestWins ? 'gl_FragDepth = nearness;' : ''}
    }
  `;
}

/**
 * Draws points on one tfjs backend. tfjs sets all state that it needs in each of its own draws, except for the depth test.
 */
export class PointDrawer {
  private readonly gl: WebGL2RenderingContext;
  private readonly compiled = new Map<PointProgram, Compiled>();
  private readonly framebuffer: WebGLFramebuffer | null;
  private readonly depth: WebGLRenderbuffer | null;
  private depthSize = '';

  constructor(private readonly webgl: MathBackendWebGL) {
    this.gl = webgl.getGPGPUContext().gl as WebGL2RenderingContext;
    this.framebuffer = this.gl.createFramebuffer();
    this.depth = this.gl.createRenderbuffer();
  }

  /** @throws {WebglContextLostError} */
  draw({ program, inputs, uniforms, points, outputs, background }: PointDraw): void {
    const { gl } = this;
    throwIfLost(this.webgl);
    const made = this.compiled.get(program) ?? this.compile(program);
    this.compiled.set(program, made);
    const { program: compiled, locations } = made;
    // First, because a tensor that is on the host is uploaded by a draw of tfjs.
    const read = program.variableNames.map((name) => this.textureOf(inputs[name]));
    const written = outputs.map((output) => this.textureOf(output));
    const [width, height] = this.sizeOf(outputs[0]);

    gl.bindVertexArray(null); // no attributes: a point only has its index
    gl.useProgram(compiled);
    program.variableNames.forEach((name, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, read[unit]);
      gl.uniform1i(locations.get(name) ?? null, unit);
    });
    for (const name of program.uniforms) gl.uniform1i(locations.get(name) ?? null, uniforms[name]);
    gl.uniform2i(locations.get(OUTPUT_SIZE) ?? null, width, height);

    gl.bindFramebuffer(gl.FRAMEBUFFER, this.framebuffer);
    const attachments = VALUES.map((_, i) => gl.COLOR_ATTACHMENT0 + i);
    attachments.forEach((attachment, i) => {
      gl.framebufferTexture2D(gl.FRAMEBUFFER, attachment, gl.TEXTURE_2D, written[i] ?? null, 0);
    });
    gl.drawBuffers(attachments.map((attachment, i) => (i < written.length ? attachment : gl.NONE)));
    this.attachDepth(program.nearestWins ? [width, height] : undefined);
    gl.viewport(0, 0, width, height);
    gl.scissor(0, 0, width, height);
    if (background !== undefined) {
      for (const i of written.keys()) gl.clearBufferfv(gl.COLOR, i, new Array(4).fill(background));
    }
    if (program.nearestWins) {
      gl.enable(gl.DEPTH_TEST);
      gl.clearBufferfv(gl.DEPTH, 0, [1]);
    }
    if (points > 0) gl.drawArrays(gl.POINTS, 0, points);
    gl.disable(gl.DEPTH_TEST);
    throwIfLost(this.webgl);
  }

  /** Attaches a depth buffer of this size, or none. float32, so that the order of 2^24 integers is exact. */
  private attachDepth(size: readonly [number, number] | undefined): void {
    const { gl } = this;
    if (size && String(size) !== this.depthSize) {
      gl.bindRenderbuffer(gl.RENDERBUFFER, this.depth);
      gl.renderbufferStorage(gl.RENDERBUFFER, gl.DEPTH_COMPONENT32F, ...size);
      this.depthSize = String(size);
    }
    // Only now, because a renderbuffer that was never bound cannot be attached.
    const attached = size ? this.depth : null;
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.RENDERBUFFER, attached);
  }

  private compile(source: PointProgram): Compiled {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [type, code] of [
      [gl.VERTEX_SHADER, vertexShader(source)],
      [gl.FRAGMENT_SHADER, fragmentShader(source)],
    ] as const) {
      const shader = gl.createShader(type);
      if (!shader || !program) throw new WebglContextLostError();
      gl.shaderSource(shader, code);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      gl.deleteShader(shader); // freed with the program
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
      throwIfLost(this.webgl);
      const logs = (gl.getAttachedShaders(program) ?? []).map((shader) => gl.getShaderInfoLog(shader));
      throw new Error(`a shader does not compile: ${gl.getProgramInfoLog(program)} ${logs.join(' ')}`);
    }
    const names = [...source.variableNames, ...source.uniforms, OUTPUT_SIZE];
    const locations = new Map(names.map((name) => [name, gl.getUniformLocation(program, name)]));
    return { program, locations };
  }

  private textureOf({ dataId }: TensorInfo): WebGLTexture {
    return this.webgl.getTexture(dataId);
  }

  /** Size in texels. */
  private sizeOf({ dataId }: TensorInfo): [number, number] {
    const { texShape, isPacked } = this.webgl.texData.get(dataId);
    const [rows, columns] = texShape as [number, number];
    return isPacked ? [columns / 2, rows / 2] : [columns, rows];
  }
}
