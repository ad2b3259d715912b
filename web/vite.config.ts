import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// The arena serves the built files under /static/ and index.html at /. `npm run dev` asks a running arena for the API.
export default defineConfig({
  base: '/static/',
  plugins: [svelte()],
  build: {
    outDir: '../src/puna/arena/page',
    emptyOutDir: true,
    target: ['chrome123', 'firefox121', 'safari17.5'],
    assetsInlineLimit: 0, // no data: addresses in styles and scripts
    modulePreload: { polyfill: false }, // it would be an inline script
  },
  server: { proxy: { '/api': 'http://127.0.0.1:7860' } },
});
