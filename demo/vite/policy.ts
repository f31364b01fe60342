/** The Content-Security-Policy of the built page. Vite's own page for development has inline scripts, and none. */
import type { Plugin } from 'vite';

const POLICY = {
  'default-src': "'self'",
  'script-src': "'self' 'wasm-unsafe-eval'",
  'style-src': "'self'",
  'img-src': "'self' blob: data: https:",
  'media-src': "'self' blob:",
  // Models may come from any host, and from a server on the same machine.
  'connect-src': "'self' blob: data: https: http://localhost:* http://127.0.0.1:*",
  // tfjs's threads are blobs.
  'worker-src': "'self' blob:",
  'object-src': "'none'",
  'base-uri': "'none'",
  'form-action': "'none'",
};

export const contentSecurityPolicy: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [
    {
      tag: 'meta',
      attrs: {
        'http-equiv': 'Content-Security-Policy',
        content: Object.entries(POLICY)
          .map(([directive, sources]) => `${directive} ${sources}`)
          .join('; '),
      },
      injectTo: 'head-prepend',
    },
  ],
};
