import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const output = fileURLToPath(new URL('../src/saeatlas/server/static', import.meta.url));

/** Where `npm run dev` finds a running `saeatlas serve`; the built pages ask the server they came from. */
const server = 'http://127.0.0.1:8765';

/** The server answers only pages of its own; while they are edited they come from another port. */
const asOwn = { target: server, changeOrigin: true, headers: { origin: server } };

/** three.js is the largest library and only the map needs it; React and the state belong to every page. */
function chunkOf(id: string): string | undefined {
  if (!id.includes('node_modules')) return undefined;
  if (/node_modules\/three\//.test(id)) return 'three';
  if (/node_modules\/(react|react-dom|scheduler|zustand|wouter|use-sync-external-store|regexparam)\//.test(id)) return 'react';
  return undefined;
}

export default defineConfig({
  plugins: [react()],
  server: { proxy: { '/api': asOwn, '/health': asOwn } },
  build: {
    target: 'es2022',
    outDir: output,
    emptyOutDir: true,
    manifest: true,
    modulePreload: { polyfill: false },
    // A strict policy refuses data: addresses of fonts and scripts, and small files gain nothing on loopback.
    assetsInlineLimit: 0,
    rollupOptions: { output: { manualChunks: chunkOf } },
  },
  test: { environment: 'node', include: ['test/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
