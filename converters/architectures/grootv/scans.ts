/**
 * How a block scans the image: along a spanning tree of the features (GrootVL, section 3.2), or, as in that paper's ablation,
 * along fixed paths: rows, or the four paths of VMamba (Y. Liu et al., 2024), whose results are added.
 */
import { isRecord, problemOf, show } from '../../../plugin/models/checks.js';
import {
  EXPORTED,
  type GrootVScan,
  SCAN_FIELDS,
  SCAN_NAMES,
  SCAN_PATHS,
} from '../../../plugin/models/grootv_metadata.js';
import { ArchitectureError } from '../../errors.js';
import { bool, type GraphBuilder, type Output, text } from '../../graph/graph_builder.js';
import { fedTree, spanningTree, type TreeNodes, treeOf } from '../../graph/tree_nodes.js';

/** The defaults, which are GrootV's. */
const DEFAULT_SCAN = {
  scan: 'tree',
  metric: 'cosine',
  trees: 'block',
  aggregate: 'all',
} as const satisfies GrootVScan;

/** The scans of the blocks of one level. */
export class LevelScan {
  /** Nodes that can be requested; `order` and `parent` can be fed. */
  readonly namedNodes: Output[] = [];
  private readonly choice: Required<GrootVScan>;
  private readonly edges?: Output;
  private readonly paths: readonly TreeNodes[] = [];
  private stageTree?: TreeNodes;

  /** @param map of the level, [N, H, W, C]; only its height and width are used */
  constructor(
    private readonly graph: GraphBuilder,
    level: number,
    map: Output,
    choice: GrootVScan = {},
  ) {
    const usual = DEFAULT_SCAN;
    const {
      scan = usual.scan,
      metric = usual.metric,
      trees = usual.trees,
      aggregate = usual.aggregate,
    } = choice;
    this.choice = { scan, metric, trees, aggregate };
    // All blocks of a level share one grid or set of paths, so that backends prepare and upload it once.
    if (scan === 'tree') this.edges = graph.node('GridGraph', `levels_${level}/edges`, [map]);
    else {
      const paths = scan === 'raster' ? SCAN_PATHS.slice(0, 1) : SCAN_PATHS;
      this.paths = paths.map((path) => this.path(`levels_${level}/${path}`, path, map));
    }
  }

  /**
   * The trees of a block.
   * @param x its features, [N, V, D]
   * @param exponential whether spanning trees are built from exp(dissimilarity)
   */
  trees(block: string, x: Output, exponential = false): readonly TreeNodes[] {
    const { scan, trees } = this.choice;
    if (scan === 'cross') return this.paths;
    const [path] = this.paths;
    const source = path ?? this.stageTree ?? this.spanningTree(block, x, exponential);
    const tree = this.named(block, source);
    if (trees === 'stage') this.stageTree ??= tree;
    return [tree];
  }

  /**
   * The scanned states of a block, [N, V, D].
   * @param input contribution of each vertex, [N, V, D]
   * @param decay factor along the edge to the parent, [N, V, D]
   */
  states(block: string, trees: readonly TreeNodes[], input: Output, decay: Output): Output {
    this.namedNodes.push(decay);
    const { scan } = this.choice;
    const aggregate = text(scan === 'tree' ? this.choice.aggregate : 'leaves');
    const along = ({ order, parent }: TreeNodes, node: string) =>
      this.graph.node('TreeScan', node, [input, decay, order, parent], { aggregate });
    const [first, ...others] = trees;
    if (others.length === 0) return along(first, `${block}/scan`);
    const names = SCAN_PATHS.map((path) => `${block}/scan/${path}`);
    return others.reduce(
      (sum, tree, i) => {
        const node = i + 1 === others.length ? `${block}/scan` : `${block}/scan/sum_${i + 1}`;
        return this.graph.node('AddV2', node, [sum, along(tree, names[i + 1])]);
      },
      along(first, names[0]),
    );
  }

  private path(node: string, name: string, map: Output): TreeNodes {
    const [direction, reverse] = name.split('_');
    const attributes = { direction: text(direction), reverse: bool(reverse !== undefined) };
    return this.named(node, treeOf(this.graph.node('PathTree', node, [map], attributes)));
  }

  private spanningTree(block: string, x: Output, exponential: boolean): TreeNodes {
    const { graph } = this;
    const edges = this.edges as Output;
    const name = `${block}/edge_weights`;
    const metric = { metric: text(this.choice.metric) };
    const weights = exponential
      ? graph.node('Exp', name, [graph.node('EdgeDissimilarity', `${name}/log`, [x, edges], metric)])
      : graph.node('EdgeDissimilarity', name, [x, edges], metric);
    this.namedNodes.push(weights);
    return spanningTree(graph, block, weights, edges);
  }

  private named(name: string, tree: TreeNodes): TreeNodes {
    const fed = fedTree(this.graph, name, tree);
    this.namedNodes.push(fed.order, fed.parent);
    return fed;
  }
}

/** Options that apply to spanning trees only. */
export const TREE_OPTIONS = ['metric', 'trees', 'aggregate'] as const;

/**
 * The scan: what the caller asks for, else what an exported file records, else the network's default.
 * @throws {ArchitectureError} if either is malformed
 */
export function chooseScan(
  given: GrootVScan,
  exported: string | undefined,
  usual: GrootVScan = {},
): GrootVScan {
  const stored = exported === undefined ? {} : parsed(exported);
  const options = picked(given, '');
  const scan = options.scan ?? stored.scan ?? DEFAULT_SCAN.scan;
  if (scan === 'tree') return { ...DEFAULT_SCAN, ...usual, ...stored, ...options, scan };
  const foreign = TREE_OPTIONS.find((name) => options[name] !== undefined);
  if (foreign === undefined) return { scan };
  throw new ArchitectureError(
    `${foreign} is ${JSON.stringify(options[foreign])}, which is for spanning trees; a ${scan} scan goes along fixed paths`,
  );
}

/** @throws {ArchitectureError} if any of the options is given: the network supports a single scan */
export function refuseScan(given: GrootVScan, network: string): GrootVScan {
  const name = SCAN_NAMES.find((name) => given[name] !== undefined);
  if (name === undefined) return {};
  throw new ArchitectureError(
    `${name} was given, which is for GrootV and GG-SSM's vision; this is a ${network}`,
  );
}

function parsed(json: string): GrootVScan {
  const where = `${EXPORTED.scan} of the file's metadata`;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new ArchitectureError(`${where} is not JSON`);
  }
  if (!isRecord(value)) throw new ArchitectureError(`${where} is ${show(value)}, expected an object`);
  return picked(value, `${where}: `);
}

/** The fields of a scan that are set. */
function picked(value: Readonly<Partial<Record<keyof GrootVScan, unknown>>>, where: string): GrootVScan {
  const names = SCAN_NAMES.filter((name) => value[name] !== undefined);
  for (const name of names) {
    const problem = problemOf(SCAN_FIELDS[name], value[name], `${where}${name}`);
    if (problem !== undefined) throw new ArchitectureError(problem);
  }
  return Object.fromEntries(names.map((name) => [name, value[name]]));
}
