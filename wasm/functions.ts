/** Written by scripts/wasm_functions.mjs from the EXPORTs of the .cc files: edit those. */

/** What our module of C++ exports. Pointers are addresses, 0 for what is left out. */
export interface WasmFunctions {
  // activations.cc
  gelu_all(x: number, y: number, size: number): void;
  silu_all(x: number, y: number, size: number): void;
  relu_all(x: number, y: number, size: number): void;
  gelu_gradient(x: number, dy: number, dx: number, size: number): void;
  silu_gradient(x: number, dy: number, dx: number, size: number): void;
  // at_parent.cc
  at_parent(
    x: number,
    order: number,
    parent: number,
    y: number,
    batch: number,
    vertices: number,
    channels: number,
  ): void;
  at_parent_gradient(
    dy: number,
    order: number,
    parent: number,
    dx: number,
    batch: number,
    vertices: number,
    channels: number,
  ): void;
  // batch_normalization.cc
  batch_normalization(
    x: number,
    gamma: number,
    beta: number,
    y: number,
    mean: number,
    variance: number,
    scratch: number,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
  batch_normalization_gradient(
    x: number,
    gamma: number,
    dy: number,
    dx: number,
    dgamma: number,
    dbeta: number,
    scratch: number,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
  // bottleneck_filter.cc
  bottleneck_filter_scratch(vertices: number): number;
  bottleneck_filter(
    x: number,
    distance: number,
    order: number,
    parent: number,
    y: number,
    vertices: number,
    channels: number,
    scale: number,
    scratch: number,
  ): void;
  // causal_convolution.cc
  causal_convolution(
    x: number,
    filter: number,
    bias: number,
    past: number,
    y: number,
    nextPast: number,
    batch: number,
    length: number,
    channels: number,
    kernelSize: number,
  ): void;
  // convolution.cc
  convolution_patches(x: number, patches: number, window: number, first: number, count: number): void;
  convolution_scratch(window: number): number;
  convolution(
    x: number,
    packed: number,
    bias: number,
    y: number,
    patches: number,
    window: number,
    first: number,
    positions: number,
    activation: number,
  ): void;
  convolution_input_scratch(window: number): number;
  convolution_input_gradient(dy: number, filter: number, dx: number, scratch: number, window: number): void;
  // convolution_gradients.cc
  convolution_filter_scratch(window: number): number;
  convolution_filter_gradient(x: number, dy: number, dfilter: number, scratch: number, window: number): void;
  depthwise_input_scratch(window: number): number;
  depthwise_input_gradient(dy: number, filter: number, dx: number, summands: number, window: number): void;
  depthwise_filter_gradient(x: number, dy: number, dfilter: number, window: number): void;
  // depthwise_convolution.cc
  depthwise_convolution(
    x: number,
    filter: number,
    y: number,
    window: number,
    first: number,
    count: number,
    activation: number,
  ): void;
  // discretize.cc
  discretize(
    dt: number,
    stepBias: number,
    logA: number,
    inputGate: number,
    x: number,
    decay: number,
    input: number,
    scratch: number,
    rows: number,
    channels: number,
    states: number,
  ): void;
  // discretize_gradient.cc
  discretize_gradient(
    dt: number,
    stepBias: number,
    logA: number,
    inputGate: number,
    x: number,
    ddecay: number,
    dinput: number,
    dstep: number,
    dbias: number,
    dlogA: number,
    dgate: number,
    dx: number,
    scratch: number,
    rows: number,
    channels: number,
    states: number,
  ): void;
  // edge_dissimilarity.cc
  edge_norms(features: number, norms: number, rows: number, channels: number, smallestNorm: number): void;
  edge_dissimilarity(
    features: number,
    edges: number,
    weights: number,
    norms: number,
    first: number,
    end: number,
    vertices: number,
    numEdges: number,
    channels: number,
    metric: number,
  ): void;
  edge_dissimilarity_gradient(
    features: number,
    edges: number,
    dy: number,
    dfeatures: number,
    norms: number,
    batch: number,
    vertices: number,
    numEdges: number,
    channels: number,
    metric: number,
    smallestNorm: number,
  ): void;
  // grid_sample.cc
  grid_sample(
    x: number,
    grid: number,
    y: number,
    images: number,
    height: number,
    width: number,
    channels: number,
    positions: number,
    border: boolean,
    aligned: boolean,
  ): void;
  grid_sample_gradient(
    x: number,
    grid: number,
    dy: number,
    dx: number,
    dgrid: number,
    images: number,
    height: number,
    width: number,
    channels: number,
    positions: number,
    border: boolean,
    aligned: boolean,
  ): void;
  // layer_normalization.cc
  layer_normalization(
    x: number,
    gamma: number,
    beta: number,
    y: number,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
  // layer_normalization_gradient.cc
  layer_normalization_gradient(
    x: number,
    gamma: number,
    dy: number,
    dx: number,
    dgamma: number,
    dbeta: number,
    scratch: number,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
  // linear.cc
  linear_pack(
    weights: number,
    packed: number,
    inputs: number,
    columns: number,
    first: number,
    end: number,
  ): void;
  linear(
    x: number,
    packed: number,
    bias: number,
    residual: number,
    y: number,
    rows: number,
    inputs: number,
    outputs: number,
    first: number,
    end: number,
    activation: number,
  ): void;
  linear_streaming(
    x: number,
    weights: number,
    bias: number,
    residual: number,
    y: number,
    rows: number,
    inputs: number,
    columns: number,
    firstOutput: number,
    outputs: number,
    activation: number,
  ): void;
  // linear_gradients.cc
  linear_input_gradient_scratch(outputs: number): number;
  linear_input_gradient(
    dy: number,
    weights: number,
    dx: number,
    scratch: number,
    rows: number,
    inputs: number,
    columns: number,
    first: number,
    outputs: number,
  ): void;
  linear_weight_gradient_scratch(outputs: number): number;
  linear_weight_gradient(
    x: number,
    dy: number,
    dweights: number,
    scratch: number,
    rows: number,
    inputs: number,
    columns: number,
    first: number,
    outputs: number,
  ): void;
  // normalize.cc
  normalize(
    x: number,
    mean: number,
    deviation: number,
    y: number,
    scratch: number,
    rows: number,
    channels: number,
  ): void;
  // optimizer_steps.cc
  adamw_step(
    value: number,
    gradient: number,
    m: number,
    v: number,
    updated: number,
    mean: number,
    variance: number,
    size: number,
    beta1: number,
    rest1: number,
    beta2: number,
    rest2: number,
    epsilon: number,
    keep: number,
    rate: number,
    correction: number,
  ): void;
  momentum_step(
    value: number,
    gradient: number,
    velocity: number,
    updated: number,
    next: number,
    size: number,
    momentum: number,
    decay: number,
    rate: number,
    nesterov: boolean,
  ): void;
  scale_by(x: number, factor: number, y: number, size: number): void;
  square_sum(x: number, y: number, size: number): void;
  // parent_dissimilarity.cc
  parent_dissimilarity(
    features: number,
    order: number,
    parent: number,
    distance: number,
    norms: number,
    batch: number,
    vertices: number,
    groups: number,
    size: number,
    metric: number,
    smallestNorm: number,
  ): void;
  parent_dissimilarity_gradient(
    features: number,
    order: number,
    parent: number,
    dy: number,
    dfeatures: number,
    norms: number,
    batch: number,
    vertices: number,
    groups: number,
    size: number,
    metric: number,
    smallestNorm: number,
  ): void;
  // resample.cc
  resample(
    x: number,
    starts: number,
    terms: number,
    ranges: number,
    weights: number,
    y: number,
    images: number,
    height: number,
    width: number,
    channels: number,
    rows: number,
    columns: number,
    most: number,
  ): void;
  // root_mean_square_normalization.cc
  root_mean_square_normalization(
    x: number,
    gamma: number,
    y: number,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
  // row_sum.cc
  row_sum(x: number, y: number, scratch: number, rows: number, channels: number): void;
  // selective_discretize.cc
  selective_discretize_scratch(channels: number, states: number, rank: number): number;
  selective_discretize(
    x: number,
    selection: number,
    projection: number,
    stepBias: number,
    logA: number,
    decay: number,
    input: number,
    outputGate: number,
    scratch: number,
    rows: number,
    channels: number,
    states: number,
    rank: number,
  ): void;
  // selective_layer.cc
  selective_layer_split(projected: number, u: number, gate: number, rows: number, channels: number): void;
  selective_layer_gate(
    scanned: number,
    u: number,
    skip: number,
    gate: number,
    rows: number,
    channels: number,
  ): void;
  selective_layer_add(x: number, y: number, size: number): void;
  // selective_scan.cc
  selective_scan_rates(logA: number, to: number, size: number): void;
  selective_scan(
    step: number,
    deltaU: number,
    rate: number,
    inputGate: number,
    outputGate: number,
    state: number,
    y: number,
    nextState: number,
    scratch: number,
    batch: number,
    length: number,
    channels: number,
    states: number,
    inputScale: number,
  ): void;
  // selective_split.cc
  selective_split(
    selected: number,
    step: number,
    inputGate: number,
    outputGate: number,
    rows: number,
    rank: number,
    states: number,
  ): void;
  selective_join(
    step: number,
    inputGate: number,
    outputGate: number,
    selected: number,
    rows: number,
    rank: number,
    states: number,
  ): void;
  // selective_step.cc
  selective_step(
    dt: number,
    stepBias: number,
    x: number,
    step: number,
    deltaU: number,
    rows: number,
    channels: number,
  ): void;
  // selective_tree_scan.cc
  selective_tree_scan(
    step: number,
    deltaU: number,
    logA: number,
    inputGate: number,
    outputGate: number,
    order: number,
    parent: number,
    y: number,
    nextState: number,
    scratch: number,
    batch: number,
    length: number,
    channels: number,
    states: number,
    treeWeight: number,
  ): void;
  // state_readout.cc
  state_readout(
    state: number,
    outputGate: number,
    x: number,
    skip: number,
    gate: number,
    stateGamma: number,
    stateBeta: number,
    outputGamma: number,
    outputBeta: number,
    y: number,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
  // state_readout_gradient.cc
  state_readout_gradient(
    state: number,
    outputGate: number,
    x: number,
    skip: number,
    gate: number,
    stateGamma: number,
    stateBeta: number,
    outputGamma: number,
    outputBeta: number,
    dy: number,
    dstate: number,
    doutputGate: number,
    dx: number,
    dskip: number,
    dgate: number,
    dstateGamma: number,
    dstateBeta: number,
    doutputGamma: number,
    doutputBeta: number,
    scratch: number,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
  // suppression.cc
  suppress_scratch(count: number): number;
  suppress(
    boxes: number,
    scores: number,
    keep: number,
    scratch: number,
    count: number,
    threshold: number,
    most: number,
  ): number;
  // token_embedding.cc
  token_embedding(
    tokens: number,
    table: number,
    y: number,
    count: number,
    hidden: number,
    vocabulary: number,
  ): void;
  token_embedding_gradient(
    tokens: number,
    dy: number,
    dtable: number,
    count: number,
    hidden: number,
    vocabulary: number,
  ): void;
  // transposed_convolution.cc
  transposed_convolution(
    x: number,
    packed: number,
    bias: number,
    y: number,
    sums: number,
    first: number,
    count: number,
    width: number,
    inputs: number,
    tileRows: number,
    outputs: number,
    activation: number,
  ): void;
  // tree_edges.cc
  tree_edges_bytes(vertices: number, shift: number): number;
  tree_edges_scratch(vertices: number, shift: number): number;
  tree_edges(
    order: number,
    parent: number,
    table: number,
    scratch: number,
    vertices: number,
    shift: number,
  ): void;
  // tree_scan.cc
  tree_scan(
    x: number,
    decay: number,
    edges: number,
    shift: number,
    y: number,
    vertices: number,
    stride: number,
    channels: number,
    decayStride: number,
    groups: number,
    aggregate: number,
  ): void;
  // tree_scan_gradient.cc
  tree_scan_gradient(
    x: number,
    decay: number,
    edges: number,
    shift: number,
    y: number,
    dy: number,
    dx: number,
    ddecay: number,
    scratch: number,
    vertices: number,
    stride: number,
    channels: number,
    decayStride: number,
    groups: number,
    aggregate: number,
  ): void;
  // winograd.cc
  winograd_scratch(window: number, block: number): number;
  winograd_pack(
    filter: number,
    packed: number,
    window: number,
    firstOutput: number,
    outputs: number,
    first: number,
    end: number,
  ): void;
  winograd(
    x: number,
    packed: number,
    bias: number,
    y: number,
    scratch: number,
    window: number,
    block: number,
    firstOutput: number,
    outputs: number,
    first: number,
    count: number,
    activation: number,
  ): void;
}
