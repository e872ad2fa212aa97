/**
 * Lint rules. Formatting is Prettier's alone; room rules, file sizes and error codes are test/tidy.test.ts's. What is
 * left here are the mistakes that a type-aware linter finds: promises nobody waits for, above all.
 */
import tseslint from 'typescript-eslint';
import { wallClockRule } from './scripts/wall-clock-rule.mjs';

/** They ask what time it is: for a date that is kept, sent or shown. */
const ASK_THE_TIME = [
  'src/platform/clock.ts', // the injected clock itself
  'src/testing/fake-clock.ts', // where a simulation begins
  'src/cli/agent-commands/log.ts', // the time of a line
  'src/release/repository.ts', // expiry dates
  'src/server/deploy.ts', // when a deployment was made
  'src/server/server.ts', // rows of the database
  'src/server/store/migrations/001-fleet.ts', // where the ids of a new database begin
  'bench/harness.ts', // the date of a report
  'campaign/sigkill/run.ts', // names of devices
];

/** They reckon with the time of the day, or with times of files. */
const RECKON_WITH_IT = [
  'src/server/jobs/embedded-queue.ts', // leases, which processes share
  'src/server/publishing/uploads.ts', // the age of what lies on a disk
  'src/agent/life/hours.ts', // hours of the day in which something may happen
  'src/release/files.ts', // the age of a file
  'src/server/upkeep.ts', // the age of a row, which is older than the process
  'test/**/*.ts', // clocks that are set, certificates that expire
];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.cache/', 'coverage/', 'assembly/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      // One import a module, its types among the rest.
      'no-duplicate-imports': ['error', { allowSeparateTypeImports: false }],
      // `list[i]!` marks an index that was checked by hand, whether or not noUncheckedIndexedAccess is on.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-promise-executor-return': 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
    },
  },
  {
    // The core runs in engines that have nothing but the language.
    files: ['native-free/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'process',
          'Buffer',
          'console',
          'setTimeout',
          'TextEncoder',
          'TextDecoder',
          'crypto',
          'fetch',
          'WebAssembly',
        ],
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'The core is deterministic.' },
        { object: 'Date', property: 'now', message: 'The core is deterministic.' },
      ],
    },
  },
  {
    // Intervals are measured on a clock that nobody sets, by timers that cannot overflow.
    files: ['**/*.ts'],
    plugins: { engraft: { rules: { 'wall-clock': wallClockRule } } },
    rules: { 'engraft/wall-clock': 'error' },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'setInterval'].map((name) => ({ name, message: 'Take src/platform/timers.ts.' })),
      ],
      'no-restricted-imports': [
        'error',
        ...['timers', 'node:timers', 'timers/promises', 'node:timers/promises'].map((name) => ({
          name,
          importNames: ['setTimeout', 'setInterval'],
          message: 'Take src/platform/timers.ts.',
        })),
      ],
    },
  },
  {
    files: ['src/platform/timers.ts'],
    rules: { 'no-restricted-globals': 'off' },
  },
  {
    files: ASK_THE_TIME,
    rules: { 'engraft/wall-clock': ['error', 'sources'] },
  },
  {
    files: RECKON_WITH_IT,
    rules: { 'engraft/wall-clock': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-explicit-any': 'off' },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    rules: { eqeqeq: 'error', 'no-var': 'error', 'prefer-const': 'error', 'no-undef': 'off' },
  },
);
