/** The whole page: the models, what can be done with the open one, and a status line. */
import { computed, effect, signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { error } from './state/engine.js';
import { opened } from './state/library.js';
import { LibraryPanel } from './views/library/library_panel.js';
import { LookPanel } from './views/look/look_panel.js';
import { StatusLine } from './views/status_line.js';
import { VerifyPanel } from './views/verify/verify_panel.js';
import { WritePanel } from './views/write/write_panel.js';

const TABS: Readonly<Record<string, { readonly title: string; readonly Panel: ComponentType }>> = {
  look: { title: 'Look', Panel: LookPanel },
  write: { title: 'Write', Panel: WritePanel },
  verify: { title: 'Verify', Panel: VerifyPanel },
};
const NAMES = Object.keys(TABS);

/** The selected tab. */
const tab = signal('look');

// Opening a model of another kind selects the tab for it.
const family = computed(() => opened.value?.family);
effect(() => {
  const isWriter = family.value === 'GrootL';
  if (family.value !== undefined && tab.peek() !== 'verify') tab.value = isWriter ? 'write' : 'look';
});

export function App() {
  return (
    <>
      <header>
        <h1>tfjs-grootvl</h1>
        <p>Tree state-space models in your browser. What you drop here stays on this machine.</p>
      </header>
      <ErrorBar />
      <div class="columns">
        <aside aria-label="Models">
          <LibraryPanel />
        </aside>
        <main>
          <Tabs />
          {NAMES.map((name) => {
            const { Panel } = TABS[name];
            return (
              <section
                key={name}
                id={`panel-${name}`}
                role="tabpanel"
                aria-labelledby={`tab-${name}`}
                hidden={tab.value !== name}
              >
                <Panel />
              </section>
            );
          })}
        </main>
      </div>
      <footer>
        <StatusLine />
      </footer>
    </>
  );
}

function ErrorBar() {
  if (error.value === undefined) return null;
  return (
    <p role="alert" class="error">
      <span>{error.value}</span>
      <button type="button" onClick={() => (error.value = undefined)}>
        Dismiss
      </button>
    </p>
  );
}

/** Tabs according to the ARIA practices: one of them is in the tab order, arrow keys select another. */
function Tabs() {
  const choose = (name: string) => {
    tab.value = name;
    document.getElementById(`tab-${name}`)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: NAMES.length - 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose(NAMES[(NAMES.indexOf(tab.value) + step) % NAMES.length]);
  };
  return (
    <div role="tablist" aria-label="What to do" onKeyDown={onKeyDown}>
      {NAMES.map((name) => (
        <button
          key={name}
          id={`tab-${name}`}
          type="button"
          role="tab"
          aria-selected={tab.value === name}
          aria-controls={`panel-${name}`}
          tabIndex={tab.value === name ? 0 : -1}
          onClick={() => choose(name)}
        >
          {TABS[name].title}
        </button>
      ))}
    </div>
  );
}
