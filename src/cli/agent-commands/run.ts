/**
 * `engraft-agent run`: the agent. With `--once` it makes one poll or one attempt; its exit code is the outcome.
 * @module
 */
import { Command } from 'commander';
import { useLittleMemory } from '../../transfer/little-memory.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { AgentEvent } from '../../agent/index.ts';
import { note, report, withSignals } from '../frame.ts';
import { createProgress } from '../progress.ts';
import type { Progress } from '../progress.ts';
import { readConfig, withAgentLock, DEFAULT_CONFIG } from './common.ts';
import type { AgentCommandOptions } from './common.ts';

interface RunCommandOptions extends AgentCommandOptions {
  readonly once?: boolean;
}

/** The command, for the frame. */
export function define(): Command {
  return new Command('run')
    .description(
      'Poll the server and bring this device up to date.\n\n' +
        'Exit code: 0 done or nothing to do, 10 download, 20 verification, 30 installation, 40 trial failed.\n' +
        'After arming, the configured reboot command runs; without one it exits 0 and the next boot has to be made\n' +
        'by somebody else. The next run after it tries the new slot and confirms it or goes back.',
    )
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .option('--once', 'one poll, or one attempt up to the reboot, then exit')
    .action(runAgent);
}

async function runAgent(options: RunCommandOptions): Promise<void> {
  useLittleMemory();
  const config = await readConfig(options.config);
  const { Agent } = await import('../../agent/agent.ts');
  const progress = await createProgress(options);
  const agent = new Agent(config, { onEvent: (event) => show(event, progress) });
  try {
    const result = await withAgentLock(config.dataFolder, () =>
      withSignals((signal) => agent.run({ once: options.once, signal })),
    );
    progress.stop();
    report(options, result, `${result.message} (${result.code}, ${result.status})`);
    process.exitCode = result.status;
  } catch (error) {
    // A service that is told to stop has stopped: that is no failure of the update.
    const stopped = UpdateError.is(error) && error.code === 'aborted' && error.detail['signal'] === 'SIGTERM';
    if (!stopped || options.once === true) throw error;
    note('stopped');
  } finally {
    progress.stop();
  }
}

let downloading = false;

function show(event: AgentEvent, progress: Progress): void {
  switch (event.type) {
    case 'state':
      if (event.state !== 'APPLY' && event.state !== 'WAIT_NET') {
        progress.stop();
        downloading = false;
      }
      note(event.state);
      break;
    case 'bytes':
      if (!downloading) progress.start('download', event.payloadBytes);
      downloading = true;
      progress.update(Math.min(event.wireBytes, event.payloadBytes));
      break;
    case 'wait':
      note(`link: ${event.error.message}; waiting ${(event.delayMs / 1000).toFixed(1)} s`);
      break;
    case 'note':
      note(event.message);
      break;
    case 'progress':
      break;
  }
}
