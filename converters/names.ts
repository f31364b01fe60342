/** Parameter names: segments added by wrappers, tensors that only training uses, and suggestions for misspelt names. */

/** Segments that wrappers add to names, at any position: DDP, torch.compile, FSDP, DeepSpeed, checkpointing. */
const WRAPPERS =
  /(^|\.)(?:(?:module|_orig_mod|_forward_module|_fsdp_wrapped_module|_fpw_module|_checkpoint_wrapped_module)\.)+/g;

/** Attributes under which models keep a network. They are only removed if that completes an architecture. */
const HOLDERS = /^(?:(?:module|_orig_mod|base_model|model|net|network|encoder|backbone)\.)+/;

/** Tensors that PyTorch and training tools store under a network's names but inference does not use. */
const UNUSED: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)num_batches_tracked$/, 'counts training steps, not used in inference'],
  [/(^|\.)n_averaged$/, 'counts the models of a moving average, not used in inference'],
  [/(^|\.)total_(ops|params)$/, 'written by a profiler, not used in inference'],
  [/(^|\.)_extra_state$/, "a module's state beside its parameters, not used in inference"],
  [
    /(^|\.)(position_ids|relative_position_index|inv_freq|attn_mask|value_level_start_index)$/,
    'computed from sizes, not learnt',
  ],
];

/** Why a tensor is not used, if its name alone tells. */
export function unusedReason(name: string): string | undefined {
  return UNUSED.find(([pattern]) => pattern.test(name))?.[1];
}

/** Entries by names without wrapper segments. Names that would collide are kept. */
export function withoutWrappers<T>(entries: ReadonlyMap<string, T>): Map<string, T> {
  const plain = new Map<string, number>();
  for (const name of entries.keys()) {
    const short = name.replace(WRAPPERS, '$1');
    plain.set(short, (plain.get(short) ?? 0) + 1);
  }
  return new Map(
    [...entries].map(([name, entry]) => {
      const short = name.replace(WRAPPERS, '$1');
      return [plain.get(short) === 1 ? short : name, entry];
    }),
  );
}

/** A name without the attributes under which models keep a network (`backbone.`, `model.`, ...). */
export function withoutHolders(name: string): string {
  return name.replace(HOLDERS, '');
}

/** A name without the leading segments that it shares with a prefix. */
export function withoutShared(name: string, prefix: string): string {
  let shared = 0;
  for (let dot = name.indexOf('.'); dot >= 0 && prefix.startsWith(name.slice(0, dot + 1)); ) {
    shared = dot + 1;
    dot = name.indexOf('.', shared);
  }
  return name.slice(shared);
}

/** Maximum length and number of names to search for the nearest: the search is quadratic in both. */
const MAX_LENGTH = 160;
const MAX_NAMES = 2000;
/** Maximum edit distance of a misspelt name. */
const MAX_EDITS = 3;

/** The name that was probably meant: one with the same ending, or at a small edit distance. */
export function nearestName(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestScore = 0;
  let examined = 0;
  for (const candidate of names) {
    if (++examined > MAX_NAMES) break;
    if (candidate.length > MAX_LENGTH || name.length > MAX_LENGTH) continue;
    const score = Math.max(sharedEnd(name, candidate), misspelt(name, candidate) ? name.length : 0);
    if (score > bestScore) [best, bestScore] = [candidate, score];
  }
  return best;
}

/** Length of the trailing segments that two names share if there are at least two, else 0. */
function sharedEnd(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  let shared = 0;
  while (shared < Math.min(left.length, right.length) && left.at(-1 - shared) === right.at(-1 - shared))
    shared++;
  return shared < 2 ? 0 : left.slice(-shared).join('.').length;
}

/** Whether names differ by a few inserted, deleted or replaced characters. */
function misspelt(a: string, b: string): boolean {
  const most = Math.min(MAX_EDITS, Math.floor(a.length / 4));
  if (Math.abs(a.length - b.length) > most) return false;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    if (Math.min(...next) > most) return false;
    row = next;
  }
  return row[b.length] <= most;
}
