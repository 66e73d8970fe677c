import { defineConfig } from 'vitest/config';

/** The pure domain alone, in Node: what mutation testing runs thousands of times (`npm run mutation`). */
export default defineConfig({
  test: { include: ['test/domain/**/*.test.ts'], env: { LAW_RUNS: '25', STRIDE: '61' } },
});
