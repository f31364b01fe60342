/** Offline use: a service worker caches the page, and reports when a newer version is available. */

import { registerSW } from 'virtual:pwa-register';
import { signal } from '@preact/signals';

/** Whether the page is cached for offline use. */
export const isKept = signal(navigator.serviceWorker?.controller != null);
/** Loads the newer version; undefined if there is none. */
export const update = signal<(() => void) | undefined>();

/** Without a service worker, as in some private windows, the page still works. */
export function keepForOffline(): void {
  const load = registerSW({
    onOfflineReady: () => {
      isKept.value = true;
    },
    onNeedRefresh: () => {
      update.value = () => {
        // Also if the page was loaded before there was any service worker.
        navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
        void load();
      };
    },
  });
}
