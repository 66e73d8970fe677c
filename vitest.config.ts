import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

/**
 * Two kinds of tests. `workers` run inside workerd with real D1, KV, R2 and Queues. `system` runs outside and drives
 * whole processes: the built Worker that is killed and restarted, and the pages in a browser.
 */
export default defineConfig({
  test: {
    // What a passing test logs is no news.
    silent: 'passed-only',
    projects: [
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                TEST_MIGRATIONS: await readD1Migrations('./migrations'),
                DEMO: '1',
                CALLBACK_SECRET: 'whsec_dGVzdC1zZWNyZXQtb2YtdGhlLXRlc3QtcnVu',
                RETRY_BASE_MS: 1,
                PUBLIC_URL: 'https://optitext.test',
                OPT_OUT_SECRET: 'the-secret-of-links-in-tests',
                BRAND_NAME: 'Ada & Co',
                HELP_CONTACT: 'help@example.com',
                FUZZ_CASES: process.env.FUZZ_CASES ?? '5000',
                FUZZ_SEED: process.env.FUZZ_SEED ?? '1',
              },
            },
          })),
        ],
        test: {
          name: 'workers',
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**'],
          setupFiles: ['./test/setup.ts'],
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          environment: 'node',
          testTimeout: 280_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
