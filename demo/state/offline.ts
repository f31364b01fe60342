/** The page without a network: a service worker keeps it, and says when a newer version is there. */

import { registerSW } from 'virtual:pwa-register';
import { signal } from '@preact/signals';

/** Whether the page is kept for the time without a network. */
export const isKept = signal(navigator.serviceWorker?.controller != null);
/** Loads the newer version that is there; undefined where there is none. */
export const update = signal<(() => void) | undefined>();

/** Without a service worker, as in some private windows, the page runs all the same. */
export function keepForOffline(): void {
  const load = registerSW({
    onOfflineReady: () => {
      isKept.value = true;
    },
    onNeedRefresh: () => {
      update.value = () => {
        // Also where this page was there before any service worker.
        navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
        void load();
      };
    },
  });
}
