/** Combines several runners of one task to one. */
import type { ImageInput } from '../images/picture_files.js';
import type { PictureRow, Runner } from './task.js';

/** Each batch goes to the runner with the least load, or the first of several such runners. */
export function together<Input extends ImageInput, Row extends PictureRow>(
  runners: readonly Runner<Input, Row>[],
): Runner<Input, Row> {
  const places = runners.map((runner) => ({ runner, busy: 0 }));
  type Place = (typeof places)[number];
  const load = ({ runner, busy }: Place) => busy / runner.inFlight;
  /** Batches that wait for a free place. */
  const waiting: ((place: Place) => void)[] = [];
  const take = (): Place | undefined => {
    const place = places.reduce((least, each) => (load(each) < load(least) ? each : least));
    if (load(place) >= 1) return undefined;
    place.busy++;
    return place;
  };
  const [{ backend, batch }] = runners;
  return {
    backend,
    batch,
    // Finished batches wait for those before them. One more per runner keeps the faster one busy meanwhile.
    inFlight: runners.reduce((sum, { inFlight }) => sum + inFlight + 1, 0),
    run: async (inputs) => {
      const place = take() ?? (await new Promise<Place>((resolve) => waiting.push(resolve)));
      try {
        return await place.runner.run(inputs);
      } finally {
        const next = waiting.shift();
        if (next) next(place);
        else place.busy--;
      }
    },
    dispose: async () => {
      await Promise.all(runners.map((runner) => runner.dispose()));
    },
  };
}
