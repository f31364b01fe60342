/** Layers of torch.nn over images [N, H, W, C], as GraphDef nodes. Image sizes may be dynamic. */
import type { NamedParameter, Parameters } from '../parameters.js';
import { type BatchNorm, type BatchNormHandling, foldBatchNorm } from './batch_norm.js';
import {
  type AttributeValue,
  bool,
  float,
  type GraphBuilder,
  int,
  ints,
  type Output,
  text,
  texts,
  type,
} from './graph_builder.js';
import { TorchLayers } from './torch_layers.js';

/** A size along height and width, or the same for both. */
export type Extents = number | readonly [height: number, width: number];

export interface ConvolutionOptions {
  /** Input and output channels. */
  readonly inputs: number;
  readonly outputs: number;
  readonly bias: boolean;
  /** BatchNorm after a convolution without a bias. It is folded into the weights unless the layers keep it separate. */
  readonly batchNorm?: BatchNorm;
  /** 3 by default. */
  readonly kernel?: Extents;
  /** 1 by default. */
  readonly stride?: Extents;
  /** Rows and columns of zeros on each side; by default as many as preserve the size at stride 1. */
  readonly padding?: Extents;
  /** 1 by default. */
  readonly dilation?: Extents;
  readonly activation?: 'none' | 'relu';
  /** Name of the output node, where a certain name is required or the module is used more than once. */
  readonly node?: string;
}

export interface PoolingOptions {
  readonly kernel: Extents;
  /** Same as the kernel by default. */
  readonly stride?: Extents;
  /** On each side, 0 by default; averages include it, as PyTorch's do by default. */
  readonly padding?: Extents;
}

export interface ResizeOptions {
  readonly method: 'bilinear' | 'nearest';
  readonly alignCorners?: boolean;
  /** Rows and columns, or an image of the target size. */
  readonly size: readonly [height: number, width: number] | Output;
}

const both = (extents: Extents): readonly [number, number] =>
  typeof extents === 'number' ? [extents, extents] : (extents as readonly [number, number]);

const FLOAT = { T: type('float32') };
const IMAGES = { data_format: text('NHWC') };

/** Adds layers over images to a graph. */
export class ImageLayers extends TorchLayers {
  constructor(
    graph: GraphBuilder,
    private readonly batchNorms: BatchNormHandling = 'fold',
  ) {
    super(graph);
  }

  /** nn.Conv2d without groups, zero-padded. */
  convolution(module: Parameters, x: Output, options: ConvolutionOptions): Output {
    const { inputs, outputs, bias, kernel = 3, stride = 1, dilation = 1, activation = 'none' } = options;
    const { batchNorm, node = `${module.prefix}/convolution` } = options;
    const [[height, width], strides, dilations] = [both(kernel), both(stride), both(dilation)];
    const same = [(dilations[0] * (height - 1)) >> 1, (dilations[1] * (width - 1)) >> 1] as const;
    const [rows, columns] = both(options.padding ?? same);
    const weight = module.tensor('weight', [outputs, inputs, height, width]);
    const isKept = batchNorm && this.batchNorms === 'keep';
    const folded = batchNorm && !isKept ? foldBatchNorm(weight, batchNorm) : undefined;
    const filter = this.constant(
      folded?.weight ?? weight,
      [height, width, inputs, outputs],
      [2, 3, 1, 0], // OIHW -> HWIO
    );
    const attributes = {
      strides: ints([1, ...strides, 1]),
      // PyTorch pads both sides; TensorFlow's SAME would pad a single side at stride 2.
      padding: text('EXPLICIT'),
      explicit_paddings: ints([0, 0, rows, rows, columns, columns, 0, 0]),
      ...IMAGES,
      dilations: ints([1, ...dilations, 1]),
      ...FLOAT,
    };
    const biases = folded?.bias ?? (bias ? module.tensor('bias', [outputs]) : undefined);
    const relu = activation === 'relu';
    if (isKept) {
      const sums = this.graph.node('Conv2D', `${node}/sums`, [x, filter], attributes);
      const { module, epsilon } = batchNorm;
      const name = relu ? `${node}/normalized` : node;
      const y = this.batchNormalization(module, outputs, sums, epsilon, 'none', name);
      return relu ? this.relu(node, y) : y;
    }
    if (biases === undefined) {
      const sums = this.graph.node('Conv2D', relu ? `${node}/sums` : node, [x, filter], attributes);
      return relu ? this.relu(node, sums) : sums;
    }
    return this.graph.node('_FusedConv2D', node, [x, filter, this.vector(biases)], {
      ...attributes,
      num_args: int(1),
      fused_ops: texts(relu ? ['BiasAdd', 'Relu'] : ['BiasAdd']),
    });
  }

  /** 3 x 3 depthwise convolution at stride 1. */
  depthwiseConvolution(module: Parameters, channels: number, x: Output): Output {
    const [height, width] = [3, 3];
    const filter = this.constant(
      module.tensor('weight', [channels, 1, height, width]),
      [height, width, channels, 1],
      [2, 3, 0, 1],
    );
    return this.graph.node('DepthwiseConv2dNative', `${module.prefix}/convolution`, [x, filter], {
      strides: ints([1, 1, 1, 1]),
      padding: text('SAME'), // at stride 1 the same as PyTorch's padding of 1
      ...IMAGES,
      dilations: ints([1, 1, 1, 1]),
      ...FLOAT,
    });
  }

  /**
   * nn.ConvTranspose2d without groups or dilation: (H - 1) * stride - 2 * padding + kernel rows.
   * @throws {Error} if the padding is as large as the kernel: nothing of an edge pixel would be left
   */
  transposedConvolution(
    module: Parameters,
    x: Output,
    {
      inputs,
      outputs,
      bias,
      kernel,
      stride = 1,
      padding = 0,
    }: Omit<ConvolutionOptions, 'kernel' | 'dilation' | 'activation'> & { readonly kernel: Extents },
  ): Output {
    const { graph } = this;
    const [[height, width], strides, pads] = [both(kernel), both(stride), both(padding)];
    if (pads[0] >= height || pads[1] >= width) {
      throw new Error(`${module.prefix}: padding ${pads}, expected less than the kernel ${height},${width}`);
    }
    const node = `${module.prefix}/transposed_convolution`;
    const area = height * width;
    const weight = module.tensor('weight', [inputs, outputs, height, width]);
    // [N, (H - 1) * stride + kernel, (W - 1) * stride + kernel, O], from which the padding is then cropped.
    const shape = graph.shapeOf(`${node}/shape`, x);
    const literal = (name: string, values: readonly number[]) =>
      graph.literal(`${node}/${name}`, values, 'int32');
    const integer = { T: type('int32') };
    const factors = literal('stride', [1, ...strides, 0]);
    const scaled = graph.node('Mul', `${node}/scaled`, [shape, factors], integer);
    const rest = literal('rest', [0, height - strides[0], width - strides[1], outputs]);
    const full = graph.node('AddV2', `${node}/size`, [scaled, rest], integer);
    const biased = (y: Output) => {
      if (!bias) return y;
      const inputNodes = [y, this.vector(module.tensor('bias', [outputs]))];
      return graph.node('BiasAdd', `${node}/bias`, inputNodes, { ...FLOAT, ...IMAGES });
    };
    if (`${strides} ${pads}` === `${[height, width]} 0,0`) {
      const isRepeated = bias && this.batchNorms === 'fold';
      const products = this.linear(`${node}/products`, x, {
        weights: weight,
        matrix: { shape: [inputs, area * outputs], axes: [0, 2, 3, 1] },
        bias: isRepeated ? repeated(module.tensor('bias', [outputs]), area) : undefined,
      });
      const y = this.tiles(node, products, shape, [height, width * outputs], full);
      return isRepeated ? y : biased(y);
    }
    const filter = this.constant(weight, [height, width, outputs, inputs], [2, 3, 1, 0]); // IOHW -> HWOI
    let y = graph.node('Conv2DBackpropInput', `${node}/sums`, [full, filter, x], {
      strides: ints([1, ...strides, 1]),
      padding: text('VALID'),
      ...IMAGES,
      dilations: ints([1, 1, 1, 1]),
      ...FLOAT,
    });
    if (pads.some((pad) => pad > 0)) {
      const cut = [0, ...pads, 0];
      const [twiceHigh, twiceWide] = pads.map((pad) => 2 * pad);
      const twice = literal('cut_twice', [0, twiceHigh, twiceWide, 0]);
      const size = graph.node('Sub', `${node}/cut_size`, [full, twice], integer);
      y = graph.slice(`${node}/cut`, y, cut, size);
    }
    return biased(y);
  }

  /**
   * The result where kernels do not overlap: [N, H, W, rows * columns * O] -> [N, H * rows, W * columns, O].
   * @param shape of x, of which only the first three sizes are used
   * @param tile rows, columns * O
   */
  private tiles(node: string, y: Output, shape: Output, tile: readonly number[], size: Output): Output {
    const { graph } = this;
    const pixels = graph.slice(`${node}/pixels`, shape, [0], [3], 'int32');
    const parts = [pixels, graph.literal(`${node}/tile`, tile, 'int32')];
    const tiles = graph.reshape(
      `${node}/split`,
      y,
      graph.concatenation(`${node}/split_size`, parts, 0, 'int32'),
    );
    return graph.reshape(node, graph.transpose(`${node}/rows`, tiles, [0, 1, 3, 2, 4]), size);
  }

  /** nn.BatchNorm2d with running statistics. */
  batchNormalization(
    module: Parameters,
    channels: number,
    x: Output,
    epsilon: number,
    activation: 'none' | 'relu' = 'none',
    node = `${module.prefix}/normalization`,
  ): Output {
    const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
      this.vector(module.tensor(part, [channels])),
    );
    const y = this.graph.node('FusedBatchNormV3', node, [x, ...parts], {
      epsilon: float(epsilon),
      ...IMAGES,
      is_training: bool(false),
      T: type('float32'),
      U: type('float32'),
    });
    return activation === 'relu' ? this.relu(`${module.prefix}/relu`, y) : y;
  }

  /** F.interpolate: `bilinear` with half-pixel centres or aligned corners, `nearest` with the pixel at floor(i * scale). */
  resize(name: string, x: Output, { method, size, alignCorners = false }: ResizeOptions): Output {
    const isImage = typeof size === 'string';
    const sides: Record<string, AttributeValue> = isImage
      ? {}
      : { height: int(size[0]), width: int(size[1]) };
    const inputs = isImage ? [x, size] : [x];
    if (method === 'nearest') return this.graph.node('InterpolateNearest', name, inputs, sides);
    return this.graph.node('InterpolateBilinear', name, inputs, {
      ...sides,
      align_corners: bool(alignCorners),
    });
  }

  /** nn.AdaptiveAvgPool2d to a square output. */
  adaptiveAveragePooling(name: string, x: Output, side: number): Output {
    return this.graph.node('AdaptiveAveragePool', name, [x], { out_height: int(side), out_width: int(side) });
  }

  /** Concatenation along the channels. */
  concatenation(name: string, parts: readonly Output[]): Output {
    return this.graph.concatenation(name, parts, 3);
  }

  /** nn.MaxPool2d, without ceil_mode. */
  maxPooling(name: string, x: Output, options: PoolingOptions): Output {
    return this.pooling('MaxPool', name, x, options, LOWEST);
  }

  /** nn.AvgPool2d, without ceil_mode. */
  averagePooling(name: string, x: Output, options: PoolingOptions): Output {
    return this.pooling('AvgPool', name, x, options, 0);
  }

  private pooling(
    op: string,
    name: string,
    x: Output,
    { kernel, stride = kernel, padding = 0 }: PoolingOptions,
    outside: number,
  ): Output {
    const { graph } = this;
    const [rows, columns] = both(padding);
    let padded = x;
    if (rows + columns > 0) {
      const around = graph.constant(`${name}/paddings`, {
        shape: [4, 2],
        dtype: 'int32',
        read: async () => Int32Array.of(0, 0, rows, rows, columns, columns, 0, 0),
        quantizable: false,
      });
      padded = graph.node('PadV2', `${name}/padded`, [x, around, graph.literal(`${name}/outside`, outside)], {
        ...FLOAT,
        Tpaddings: type('int32'),
      });
    }
    const attributes: Record<string, AttributeValue> = {
      ksize: ints([1, ...both(kernel), 1]),
      strides: ints([1, ...both(stride), 1]),
      padding: text('VALID'),
      ...IMAGES,
      ...FLOAT,
    };
    return graph.node(op, name, [padded], attributes);
  }

  /** Height and width, [2] int32. */
  heightAndWidth(name: string, image: Output): Output {
    return this.graph.slice(name, this.graph.shapeOf(`${name}/shape`, image), [1], [2], 'int32');
  }

  /** nn.ReLU */
  relu(name: string, x: Output): Output {
    return this.graph.node('Relu', name, [x], FLOAT);
  }
}

/** Less than any float32 that a layer outputs, and finite, as required by JSON and by quantised sums. */
const LOWEST = -3.4028234663852886e38;

/** Repeats a vector. */
function repeated(vector: NamedParameter, times: number): NamedParameter {
  return {
    ...vector,
    computed: true,
    shape: [times * vector.elements],
    elements: times * vector.elements,
    async readFloat32() {
      const values = await vector.readFloat32();
      const all = new Float32Array(times * values.length);
      for (let i = 0; i < times; i++) all.set(values, i * values.length);
      return all;
    },
  };
}
