/** The recurrence along a text: selective_scan.h. */
#include "kernel.h"
#include "selective_scan.h"

/** blockIdx.x counts tiles of channels, and images. */
KERNEL(selective_scan, WARP, const float* __restrict__ step, const float* __restrict__ deltaU,
       const float* __restrict__ logA, const float* __restrict__ inputGate, const float* __restrict__ outputGate,
       const float* __restrict__ state, float* y, float* __restrict__ nextState, Sizes sizes, int tiles,
       float inputScale) {
  const size_t image = blockIdx.x / tiles;
  Scan scan = scanOf(step, deltaU, inputGate, outputGate, y, sizes, image, blockIdx.x % tiles);
  const size_t ofState = (image * sizes.channels + scan.channel) * sizes.states;
  int pass = 0;
  do {
    Gates h = {}, rate = {};
    if (scan.inside) {
      rate = rates(logA + (size_t)scan.channel * sizes.states, scan.first, sizes.states);
      if (state) h = load(state + ofState, scan.first, sizes.states);
    }
    scan.recur(h, rate, inputScale, nullptr, 0.0f, pass == 0);
    if (scan.inside) store(nextState + ofState, scan.first, sizes.states, h);
    pass += PASS;
    scan.first += PASS;
  } while (pass < sizes.states);
}
