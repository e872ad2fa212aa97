import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Tests start worker threads and servers of their own; more files at once would only fight for the cores.
    maxWorkers: 2,
  },
});
