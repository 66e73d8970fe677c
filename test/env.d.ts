/// <reference types="vite/types/importMeta.d.ts" />
import type { D1Migration } from '@cloudflare/vitest-plugin';
import type { Bindings } from '../src/platform/config.ts';

declare global {
  namespace Cloudflare {
    interface Env extends Bindings {
      TEST_MIGRATIONS: D1Migration[];
      FUZZ_CASES: string;
      FUZZ_SEED: string;
    }
  }
}
