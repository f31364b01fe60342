import { layer, path, pointed, ROOT, read } from '../../state/write.js';
import { Slider } from '../slider.js';

/** The tokens of the prompt and the tree over them: pointing at a token highlights its path to the root. */
export function PromptTree() {
  const { tokens, parents, layers } = read.value ?? {};
  if (!tokens || !layers) return null;
  if (!parents)
    return (
      <p class="muted">
        {tokens.length} tokens. {NO_TREE}
      </p>
    );
  return (
    <section aria-labelledby="prompt-tree">
      <h3 id="prompt-tree">The tree of the prompt</h3>
      <Slider
        label="Layer"
        text={`${layer.value + 1} of ${layers}`}
        min={0}
        max={layers - 1}
        value={layer.value}
        onInput={(value) => (layer.value = value)}
      />
      <Tokens texts={tokens} />
      <Arcs parents={parents} />
      <p id="token-path">{pathInWords(tokens)}</p>
    </section>
  );
}

const NO_TREE = 'This model has no tree: its scan goes along the text, from each token to the next.';

/** A toolbar: one token is in the tab order, arrow keys select another. */
function Tokens({ texts }: { readonly texts: readonly string[] }) {
  const [own, parent] = path.value;
  const inOrder = own ?? 0;
  const onKeyDown = (event: KeyboardEvent & { readonly currentTarget: HTMLElement }) => {
    const last = texts.length - 1;
    const next = { ArrowRight: inOrder + 1, ArrowLeft: inOrder - 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const button = event.currentTarget.children[Math.min(Math.max(next, 0), last)] as HTMLElement;
    button.focus();
  };
  return (
    <div role="toolbar" aria-label="Tokens of the prompt" class="tokens" onKeyDown={onKeyDown}>
      {texts.map((text, i) => (
        <button
          key={i}
          type="button"
          class={i === own ? 'own' : i === parent ? 'parent' : path.value.includes(i) ? 'ancestor' : ''}
          tabIndex={i === inOrder ? 0 : -1}
          aria-describedby={i === own ? 'token-path' : undefined}
          onFocus={() => (pointed.value = i)}
          onPointerEnter={() => (pointed.value = i)}
        >
          {visible(text)}
        </button>
      ))}
    </div>
  );
}

/** An arc from every token to its parent, with the arcs of the path on top. The tokens above give the same as text. */
function Arcs({ parents }: { readonly parents: readonly number[] }) {
  const arcs = parents.flatMap((parent, i) => (parent === ROOT ? [] : [arc(i, parent)]));
  const highest = Math.max(1, ...parents.map((parent, i) => (parent === ROOT ? 0 : Math.abs(i - parent))));
  const point = ({ clientX, currentTarget }: PointerEvent & { readonly currentTarget: SVGSVGElement }) => {
    const { left, width } = currentTarget.getBoundingClientRect();
    pointed.value = Math.min(Math.floor(((clientX - left) * parents.length) / width), parents.length - 1);
  };
  return (
    <svg
      class="arcs"
      viewBox={`0 ${-highest / 2} ${parents.length} ${highest / 2}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      onPointerMove={point}
    >
      <path d={arcs.join('')} />
      <path
        class="path"
        d={path.value
          .slice(0, -1)
          .map((i) => arc(i, parents[i]))
          .join('')}
      />
    </svg>
  );
}

/** A half circle above a line, between two tokens; the centre of token i is at i + 0.5. */
function arc(from: number, to: number): string {
  const radius = Math.abs(to - from) / 2;
  return `M${from + 0.5} 0A${radius} ${radius} 0 0 ${to > from ? 1 : 0} ${to + 0.5} 0`;
}

function pathInWords(tokens: readonly string[]): string {
  const [own, ...others] = path.value.map((i) => `“${visible(tokens[i]).trim()}”`);
  if (own === undefined) return 'Point at a token to see its parent and its path to the root.';
  if (others.length === 0) return `${own} is the root: the last token, which all others reach.`;
  return `The parent of ${own} is ${others[0]}. Path to the root: ${[own, ...others].join(' → ')}`;
}

/** A token's text, with visible symbols if it is only white space. */
function visible(text: string): string {
  if (text.trim() !== '') return text;
  return Array.from(text, (character) => SIGNS[character] ?? '␣').join('') || '∅';
}

const SIGNS: Readonly<Record<string, string>> = { '\n': '↵', '\r': '↵', '\t': '⇥' };
