// Limits of the readers. A checkpoint is an untrusted file: whatever it claims, reading it must end soon and use much less memory
// than a browser tab has. Typical figures are from published checkpoints; a model with its moving average and two optimizer
// moments has about 4 tensors, 35 opcodes and 8 memo entries each, per parameter.

const KiB = 1024;
const MiB = 1024 * KiB;

// ---- the file --------------------------------------------------------------------------------------------------

/** Bytes per read in the pass that checks the whole file: large enough for speed, small enough for memory. */
export const CHUNK_BYTES = 4 * MiB;

/** Bytes of a strided tensor that are read at a time before they are put in row-major order. */
export const GATHER_BYTES = 16 * MiB;

// ---- zip -------------------------------------------------------------------------------------------------------

/** Entries of a zip: one per storage. The largest published models have around ten thousand. */
export const MAX_ZIP_ENTRIES = 200_000;

/** Size of the central directory: about 100 bytes per entry in real files. */
export const MAX_ZIP_DIRECTORY_BYTES = 32 * MiB;

/** Length of an entry's name: `<file name>/data/<number>`; file systems limit each component to 255 bytes. */
export const MAX_ZIP_NAME_BYTES = 1024;

/** Extra fields of one header: torch pads up to 64 bytes (newer releases: up to a chosen alignment of 4 KiB and more). */
export const MAX_ZIP_EXTRA_BYTES = 0xffff;

// ---- pickle ----------------------------------------------------------------------------------------------------

/** Size of a pickle: 100,000 tensors at 30 bytes per record, rich in opcodes, take less than a tenth of this. */
export const MAX_PICKLE_BYTES = 64 * MiB;

/** Size of the first piece of a legacy file in which its pickles are looked for; doubled until they fit. */
export const LEGACY_HEAD_BYTES = 256 * KiB;

/** Opcodes: 35 per tensor, so enough for 140,000 tensors; this limits the running time. */
export const MAX_OPCODES = 5_000_000;

/** Values on the pickle machine's stack: pickle writes containers in batches of 1,000. */
export const MAX_STACK = 100_000;

/** Open marks: one or two per level of nesting. */
export const MAX_MARKS = 1_000;

/** Memo slots: pickle numbers them from 0 upwards, so this limits the index as well. */
export const MAX_MEMO = 1_000_000;

/** Lists, tuples, dicts, sets, tensors and inert objects created: up to about 400 bytes each, hence 200 MB at worst. */
export const MAX_OBJECTS = 500_000;

/** Values in one container. */
export const MAX_CONTAINER_ITEMS = 1_000_000;

/** Values copied by calls such as `set([...])`: without a limit one long list could be copied once per opcode. */
export const MAX_COPIED_ITEMS = 1_000_000;

/** Nesting of containers: configurations are 5 or 6 levels deep. Thanks to it, code may recurse over the result. */
export const MAX_NESTING = 128;

/** Length of a string or byte string, in bytes: the longest seen is the pickled source text of a model. */
export const MAX_STRING_BYTES = 16 * MiB;

/** Length of an integer, in bytes; the longest real one is torch's magic number with 10. */
export const MAX_INTEGER_BYTES = 255;

/** Length of a module or class name. */
export const MAX_GLOBAL_NAME = 256;

/** Distinct globals in one file: real checkpoints name fewer than 20. */
export const MAX_GLOBALS = 10_000;

// ---- tensors ---------------------------------------------------------------------------------------------------

/** Dimensions of a tensor: convolution weights have 5 at most; torch itself prints up to 64. */
export const MAX_RANK = 16;

/**
 * Elements of a tensor that has more of them than its storage (an expanded view: stride 0 or overlapping rows). Small ones occur
 * (expanded position ids and masks); a large one is a few bytes that expand to gigabytes.
 */
export const MAX_EXPANDED_ELEMENTS = 1 << 20;

// ---- safetensors -----------------------------------------------------------------------------------------------

/** Header of a safetensors file, in bytes: the format's own limit. */
export const MAX_SAFETENSORS_HEADER_BYTES = 100_000_000;

/** Tensors in one safetensors file. */
export const MAX_SAFETENSORS_TENSORS = 200_000;

/** Entries of a safetensors file's `__metadata__`. */
export const MAX_SAFETENSORS_METADATA = 100_000;
