/**
 * What nobody imports goes. Entries are what package.json exports, programs, files that run in workers and processes of
 * their own, and tests; their exports may stand unused, all others' may not. A type that stands in the signature of an
 * exported function may be exported as well.
 */
export default {
  entry: [
    'native-free/{index,compat/index,diff/index}.ts',
    'src/index.ts',
    'src/{agent,client,server,testing,wasm}/index.ts',
    'src/cli/{engraft,engraft-agent}.ts',
    'src/engine/{workers/worker,bsdiff/child}.ts',
    'scripts/*.{ts,mjs}',
    'bench/*/run.ts',
    'campaign/*/{main,run}.ts',
    'campaign/planted/vitest.config.ts',
    'demo/{index,device,health}.ts',
    'qemu/run.ts',
    'corpus/fetch.ts',
    'test/**/*.test.ts',
    'test/runtime/*-suite.ts', // bundled for runtimes without a test runner
  ],
  project: ['**/*.{ts,js,mjs}', '!dist/**', '!assembly/**'],
  ignoreExportsUsedInFile: { interface: true, type: true },
  ignoreDependencies: [
    ...['bun', 'deno', 'publint'], // run, and never imported
    'bsdiff-node', // an addon, which only `require` loads
  ],
  // Programs of the system, which tests and benchmarks look for and do without.
  exclude: ['binaries'],
};
