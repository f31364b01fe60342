/**
 * Mask R-CNN (K. He et al., 2017) with a feature pyramid (T.-Y. Lin et al., 2017) on GrootV or UIS-Mamba, as in mmdetection. The
 * batch size is 1; activations are channels-last.
 */
import { GraphBuilder } from '../../graph/graph_builder.js';
import { ImageLayers } from '../../graph/image_layers.js';
import type { Parameters } from '../../parameters.js';
import type { NetworkGraph } from '../architecture.js';
import { grootVBackbone, normalizedImage } from '../grootv/graph.js';
import { uisMambaBackbone } from '../uis_mamba/graph.js';
import { featurePyramid } from './feature_pyramid.js';
import { proposals } from './region_proposals.js';
import { boxHead, maskHead } from './roi_heads.js';
import type { MaskRCNNGraphSettings } from './settings.js';
import type { MaskRCNNSizes } from './sizes.js';

/** Builds the graph: `image`, `image_shape` and `scale_factor` to `boxes`, `scores`, `classes` and `masks`. */
export function maskRCNNGraph(
  sizes: MaskRCNNSizes,
  parameters: Parameters,
  settings: MaskRCNNGraphSettings,
): NetworkGraph {
  const layers = new ImageLayers(new GraphBuilder(), settings.batchNorm);
  const { graph } = layers;
  const image = normalizedImage(graph, settings.preprocessing);
  // The size of the image within the padded input, and the scale factors from the original image to that size. By default the
  // image fills the input and is not scaled. Both nodes can be fed. (A PlaceholderWithDefault would not work: tfjs frees the
  // default before it is used.)
  const imageShape = layers.heightAndWidth('image_shape', image);
  const ones = graph.literal('scale_factor/default', [1, 1, 1, 1]);
  const scaleFactor = graph.node('Identity', 'scale_factor', [ones]);

  const weights = parameters.at('backbone');
  const { depatch = false } = sizes;
  const { levels, namedNodes } = settings.weakening
    ? uisMambaBackbone(layers, weights, image, { ...sizes, depatch }, settings.weakening)
    : grootVBackbone(layers, weights, image, sizes);
  const pyramid = featurePyramid(layers, parameters.at('neck'), levels, sizes);
  const found = proposals(layers, parameters.at('rpn_head'), pyramid, imageShape, sizes, settings);
  const finest = pyramid.slice(0, levels.length);
  const roiHead = { layers, parameters: parameters.at('roi_head'), levels: finest, sizes, settings };
  const detections = boxHead(roiHead, found.proposals, imageShape, scaleFactor);
  const masks = maskHead(roiHead, detections, scaleFactor);
  return {
    graph,
    outputs: [
      { name: detections.boxes, shape: [-1, 4] },
      { name: detections.scores, shape: [-1] },
      { name: detections.classes, shape: [-1], dtype: 'int32' },
      { name: masks.probabilities, shape: [-1, -1, -1] },
    ],
    namedNodes: [
      ...levels,
      ...pyramid,
      ...found.namedNodes,
      ...detections.namedNodes,
      ...masks.namedNodes,
      ...namedNodes,
    ],
  };
}
