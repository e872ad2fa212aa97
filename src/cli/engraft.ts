#!/usr/bin/env node
/**
 * The program `engraft`: makes, signs, serves, inspects and applies updates.
 *
 * @module
 */
import { runProgram, type CommandEntry } from './terminal/frame.ts';
import { packageVersion } from './version.ts';

const commands: readonly CommandEntry[] = [
  { name: 'keygen', summary: 'make the keys that sign a repository', load: () => import('./commands/keygen.ts') },
  { name: 'diff', summary: 'make a patch from two images', load: () => import('./commands/diff.ts') },
  { name: 'apply', summary: 'make the target from the source and a patch', load: () => import('./commands/apply.ts') },
  { name: 'inspect', summary: 'show what is in a patch', load: () => import('./commands/inspect.ts') },
  { name: 'publish', summary: 'add a release to a signed repository', load: () => import('./commands/publish.ts') },
  { name: 'refresh', summary: 'sign a repository anew before it expires', load: () => import('./commands/refresh.ts') },
  { name: 'serve', summary: 'serve a repository to devices', load: () => import('./commands/serve.ts') },
  { name: 'worker', summary: 'make payloads for a server', load: () => import('./commands/worker.ts') },
  { name: 'release', summary: 'publish through a server, plan, price', load: () => import('./commands/release.ts') },
  { name: 'job', summary: 'ask a server about its jobs, stop one', load: () => import('./commands/job.ts') },
  { name: 'device', summary: 'ask a server about its devices', load: () => import('./commands/device.ts') },
  { name: 'rollout', summary: 'give a release to a fleet in groups', load: () => import('./commands/rollout.ts') },
  { name: 'deployment', summary: 'ask about deployments, stop one', load: () => import('./commands/deployment.ts') },
];

await runProgram({
  name: 'engraft',
  description: 'Delta updates that stream into the inactive slot.',
  version: packageVersion(),
  commands,
});
