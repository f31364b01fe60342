/** A segmenter and a detector of a few nodes, with results that follow from the image, to test how they are processed. */
import { GraphBuilder, int, ints, text, type } from '../converters/graph/graph_builder.js';
import { writeModel } from '../converters/graph/model_writer.js';
import { MemorySink } from '../converters/index.js';
import type { DetectorMetadata } from '../plugin/models/detector_metadata.js';
import type { SegmenterMetadata } from '../plugin/models/segmenter_metadata.js';
import { DETECTOR, SEGMENTER } from './dense_metadata.js';

const FLOAT = { T: type('float32') };

/** `image` and `normalized`, either of which can be fed. */
function imageInputs(graph: GraphBuilder): string {
  const image = graph.placeholder('image', [-1, -1, -1, 3]);
  const scale = graph.literal('scale', 1 / 255);
  return graph.node('Mul', 'normalized', [image, scale], FLOAT);
}

async function written(graph: GraphBuilder, userDefinedMetadata: object): Promise<MemorySink> {
  const sink = new MemorySink();
  await writeModel(graph, sink, { userDefinedMetadata });
  return sink;
}

/** Three classes, red, green and blue: the logits are the means over 4 x 4 pixels of each channel. */
export function stubSegmenter(metadata: Partial<SegmenterMetadata> = {}): Promise<MemorySink> {
  const graph = new GraphBuilder();
  const normalized = imageInputs(graph);
  graph.node('AvgPool', 'logits', [normalized], {
    ksize: ints([1, 4, 4, 1]),
    strides: ints([1, 4, 4, 1]),
    padding: text('SAME'),
    data_format: text('NHWC'),
    ...FLOAT,
  });
  return written(graph, { ...SEGMENTER, ...metadata });
}

interface StubDetection {
  readonly part: readonly number[];
  readonly score: number;
  readonly index: number;
}

/** Boxes relative to the image, scores and classes, the same for every image. */
export const STUB_DETECTIONS = [
  { part: [0.25, 0.25, 0.75, 0.75], score: 0.9, index: 1 },
  { part: [0, 0, 1, 0.5], score: 0.6, index: 0 },
  { part: [0.5, 0.5, 0.6, 0.9], score: 0.2, index: 1 },
] as const;

/** Objects with masks of 2 x 2 that are 1 in the left half. */
export function stubDetector(
  metadata: Partial<DetectorMetadata> = {},
  found: readonly StubDetection[] = STUB_DETECTIONS,
): Promise<MemorySink> {
  const graph = new GraphBuilder();
  imageInputs(graph);
  const shape = graph.placeholder('image_shape', [2], 'int32');
  const scaleFactor = graph.placeholder('scale_factor', [4]);
  const count = found.length;
  const constant = (
    name: string,
    sizes: number[],
    values: readonly number[],
    dtype: 'float32' | 'int32' = 'float32',
  ) =>
    graph.constant(name, {
      shape: sizes,
      dtype,
      read: async () => (dtype === 'float32' ? Float32Array.from(values) : Int32Array.from(values)),
      quantizable: false,
    });
  const sides = graph.node('Cast', 'sides', [shape], { SrcT: type('int32'), DstT: type('float32') });
  const corner = graph.node(
    'GatherV2',
    'corners',
    [sides, graph.literal('rows', [1, 0, 1, 0], 'int32'), graph.literal('axis', 0, 'int32')],
    { batch_dims: int(0), Tparams: type('float32') },
  );
  const parts = constant(
    'parts',
    [count, 4],
    found.flatMap(({ part }) => part),
  );
  const pixels = graph.node('Mul', 'pixels', [parts, corner], FLOAT);
  graph.node('RealDiv', 'boxes', [pixels, scaleFactor], FLOAT);
  constant(
    'scores',
    [count],
    found.map(({ score }) => score),
  );
  constant(
    'classes',
    [count],
    found.map(({ index }) => index),
    'int32',
  );
  constant(
    'masks',
    [count, 2, 2],
    found.flatMap(() => [1, 0, 1, 0]),
  );
  return written(graph, { ...DETECTOR, ...metadata });
}
