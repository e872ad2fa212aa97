#!/usr/bin/env node
/**
 * The program `engraft-agent`: the device's side.
 *
 * @module
 */
import { runProgram, type CommandEntry } from './terminal/frame.ts';
import { packageVersion } from './version.ts';

const commands: readonly CommandEntry[] = [
  { name: 'run', summary: 'poll, update, confirm: the agent itself', load: () => import('./agent-commands/run.ts') },
  { name: 'status', summary: 'show how the last update ended', load: () => import('./agent-commands/status.ts') },
  {
    name: 'history',
    summary: 'show how the last updates ended',
    load: () => import('./agent-commands/history.ts'),
  },
  {
    name: 'check-config',
    summary: 'check the configuration and print what it comes to',
    load: () => import('./agent-commands/check-config.ts'),
  },
  {
    name: 'keystore',
    summary: 'set up a TPM or token, show it, recover',
    load: () => import('./agent-commands/keystore.ts'),
  },
  {
    name: 'tuf',
    summary: "verify any repository with the agent's TUF client",
    load: () => import('./agent-commands/tuf.ts'),
  },
  { name: 'init', summary: 'prepare a device', load: () => import('./agent-commands/init.ts') },
];

await runProgram({
  name: 'engraft-agent',
  description: 'Updates this device: streams into the inactive slot, tries it, confirms it or goes back.',
  version: packageVersion(),
  commands,
});
