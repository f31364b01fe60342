/** The page of the tests that do not change the backend, so that they share compiled shaders. */
const FILES = {
  bench: () => import('./bench_page.js'),
  device_scan: () => import('./device_scan_page.js'),
  device_tree: () => import('./device_tree_page.js'),
  draws: () => import('./draws_page.js'),
  full_size: () => import('./full_size_page.js'),
  models: () => import('./models_page.js'),
  training: () => import('./training_page.js'),
};

/** Page files by name. */
export type SharedFile = keyof typeof FILES;

declare global {
  interface Window {
    openFile(name: SharedFile): Promise<unknown>;
  }
}

window.openFile = (name) => FILES[name]();
