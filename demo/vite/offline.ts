/** The service worker and the manifest: after the first visit the page works without a network. */
import { VitePWA } from 'vite-plugin-pwa';

export const offline = VitePWA({
  registerType: 'prompt', // a newer version is announced, and loaded on request
  injectRegister: null, // done in state/offline.ts
  manifest: {
    name: 'tfjs-grootvl: tree state-space models in your browser',
    short_name: 'grootvl',
    description: 'Drop a PyTorch checkpoint on the page and watch its trees.',
    display: 'standalone',
    start_url: './',
    scope: './',
    background_color: '#fcfcfa',
    theme_color: '#1a5fb4',
    icons: [
      { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
      { src: 'icon-512.png', sizes: '512x512', type: 'image/png', purpose: 'any' },
      { src: 'icon-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
    ],
  },
  includeManifestIcons: false,
  workbox: {
    // All code, and the initial model. The others are cached when first used.
    globPatterns: ['**/*.{html,js,css,wasm,svg,png,jpg}', 'assets/digits-*'],
    maximumFileSizeToCacheInBytes: 16 * 2 ** 20,
    dontCacheBustURLsMatching: /assets\//,
    inlineWorkboxRuntime: true,
    clientsClaim: true, // so that models of the first visit are cached
    cleanupOutdatedCaches: true,
    runtimeCaching: [
      {
        urlPattern: ({ sameOrigin, url }) => sameOrigin && url.pathname.includes('/assets/'),
        handler: 'CacheFirst',
        options: { cacheName: 'models', expiration: { maxEntries: 100 } },
      },
    ],
  },
});
