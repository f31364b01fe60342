import t from 'tap';
import { bytesOf, changedCopy, failures, fixtureFolder } from '../../testing/changed_files.js';

t.test('one element off by 1e-2 fails in whole language models', async (t) => {
  const ofFile = 'expected_logits_short';
  const path = `grootl/grootl_tiny/${ofFile}.safetensors`;
  const failing = async (bytes: Uint8Array) => {
    const files = fixtureFolder('grootl/grootl_tiny').set(`${ofFile}.safetensors`, bytes);
    const found = await failures(files, ({ name }) => name.startsWith(ofFile));
    return found.map(({ op, case: of }) => `${op}, ${of}`);
  };
  let bytes = bytesOf(path);
  for (const tensor of ['p3.tree_logits', 'p5.tree_logits', 'p3.chain_logits']) {
    bytes = changedCopy(path, tensor, 0.4, bytes);
  }
  const ofLogits = await failing(bytes);
  for (const [op, text] of [
    ['GrootL logits', 'p3'],
    ['GrootL logits', 'p5'],
    ['Mamba logits', 'p3'],
  ]) {
    t.ok(
      ofLogits.some((each) => each.startsWith(op) && each.includes(` ${text} `)),
      `${op} of ${text}: ${ofLogits}`,
    );
  }
  t.ok((await failing(changedCopy(path, 'p3.input_ids', 0.4))).length > 0, 'p3.input_ids');
  const edits: Readonly<Record<string, (json: Expected) => void>> = {
    'GrootL greedy text': ({ greedy }) => greedy[2].tree_ids[7]++,
    'Mamba greedy text': ({ greedy }) => greedy[0].chain_ids[7]++,
    'GrootL scores': ({ loglikelihood }) => (loglikelihood[3].tree_sum_logprob += 0.01),
    'Mamba scores': ({ loglikelihood }) => (loglikelihood[3].chain_sum_logprob += 0.01),
    'GrootL perplexity': ({ perplexity }) => (perplexity.tree.total_nll += 0.01),
    'Mamba perplexity': ({ perplexity }) => (perplexity.rolling.plain_chain_sum_logprob += 0.01),
    'GrootL tokens': ({ tokenizer }) => tokenizer[1].ids[0]++,
    'GrootL logits': ({ logits }) => (logits[3].context_len = 5),
  };
  const files = fixtureFolder('grootl/grootl_tiny');
  const json: Expected = JSON.parse(new TextDecoder().decode(files.get('expected.json')));
  for (const edit of Object.values(edits)) edit(json);
  files.set('expected.json', new TextEncoder().encode(JSON.stringify(json)));
  const found = await failures(files);
  for (const op of Object.keys(edits)) {
    const failed = found.find((each) => each.op === op);
    t.ok(failed, `${op}: ${failed?.reason}`);
  }
  t.same(new Set(found.map(({ op }) => op)), new Set(Object.keys(edits)), 'and nothing else');
});

/** The edited fields of expected.json. */
interface Expected {
  logits: { context_len: number }[];
  tokenizer: { ids: number[] }[];
  greedy: { tree_ids: number[]; chain_ids: number[] }[];
  loglikelihood: { tree_sum_logprob: number; chain_sum_logprob: number }[];
  perplexity: { tree: { total_nll: number }; rolling: { plain_chain_sum_logprob: number } };
}

t.test('and in fine-tuning', async (t) => {
  const language = 'training/grootl_sft_short.safetensors';
  let bytes = bytesOf(language);
  for (const tensor of ['full.row_loss', 'lora.loss']) bytes = changedCopy(language, tensor, 0.1, bytes);
  const files = new Map([[language, bytes]]);
  for (const [name, values] of fixtureFolder('grootl/grootl_tiny'))
    files.set(`grootl/grootl_tiny/${name}`, values);
  for (const [name, values] of fixtureFolder('grootl/grootl_tiny_lora')) {
    files.set(`grootl/grootl_tiny_lora/${name}`, values);
  }
  const found = await failures(files, ({ name }) => name.startsWith('grootl_sft_short'));
  t.equal(found.length, 4, `${language}: ${found.map(({ op, reason }) => `${op}: ${reason}`)}`);
});
