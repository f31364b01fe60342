/** The format of fixture files, also for tests in a page. A plain reader for trusted files. */

export type Values = Float32Array | Float64Array | Int32Array | Uint8Array;

export interface FixtureTensor {
  readonly shape: number[];
  readonly values: Values;
}

export interface Fixture {
  readonly name: string;
  readonly metadata: Record<string, string>;
  /** @throws if there is no tensor of this name */
  tensor(name: string): FixtureTensor;
  has(name: string): boolean;
  names(): string[];
}

/** Parses a safetensors file. `name` appears in errors. */
export function parseFixture(name: string, bytes: Uint8Array): Fixture {
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength)));
  const metadata = header.__metadata__ ?? {};
  delete header.__metadata__;
  const arrays = { F32: Float32Array, F64: Float64Array, I32: Int32Array, U8: Uint8Array };
  return {
    name,
    metadata,
    has: (tensor) => tensor in header,
    names: () => Object.keys(header),
    tensor: (tensor) => {
      if (!(tensor in header)) throw new Error(`${name} has no tensor ${tensor}`);
      const { dtype, shape, data_offsets } = header[tensor];
      const [from, to] = data_offsets.map((offset: number) => offset + 8 + headerLength);
      const buffer = Uint8Array.from(bytes.subarray(from, to)).buffer;
      return { shape, values: new arrays[dtype as keyof typeof arrays](buffer) };
    },
  };
}

/** [B, D, V] -> [B, V, D]: from the layout of op fixtures to that of the ops. */
export function channelsLast({ shape, values }: FixtureTensor): FixtureTensor {
  const [batch, channels, vertices] = shape;
  const moved = new Float32Array(values.length);
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      for (let v = 0; v < vertices; v++) {
        moved[(b * vertices + v) * channels + d] = values[(b * channels + d) * vertices + v];
      }
    }
  }
  return { shape: [batch, vertices, channels], values: moved };
}
