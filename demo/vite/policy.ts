/** The Content-Security-Policy of the built page. Vite's development page has inline scripts, and no policy. */
import type { Plugin } from 'vite';

const POLICY = {
  'default-src': "'self'",
  'script-src': "'self' 'wasm-unsafe-eval'",
  'style-src': "'self'",
  'img-src': "'self' blob: data: https:",
  'media-src': "'self' blob:",
  // Models may be fetched from any host, and from a server on the same machine.
  'connect-src': "'self' blob: data: https: http://localhost:* http://127.0.0.1:*",
  // tfjs starts its threads from blobs.
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
