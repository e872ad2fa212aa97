/**
 * `engraft-agent run`: the agent. With `--once` it makes one poll or one attempt; its exit code is the outcome.
 * @module
 */
import { Command } from 'commander';
import { useLittleMemory } from '../../transfer/little-memory.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { AgentEvent, Attempt, RunResult } from '../../agent/index.ts';
import { exitCodeFor, note, report, withSignals } from '../terminal/frame.ts';
import { createProgress, type Progress } from '../terminal/progress.ts';
import { readConfig, DEFAULT_CONFIG, type AgentCommandOptions } from './common.ts';
import { Log, logFormat, type LogFormat } from './log.ts';
import { joinService } from './service.ts';

interface RunCommandOptions extends AgentCommandOptions {
  readonly once?: boolean;
  readonly log: LogFormat;
}

/** The command, for the frame. */
export function define(): Command {
  return new Command('run')
    .description(
      'Poll the server and bring this device up to date.\n\n' +
        'Exit code: 0 done or nothing to do, 10 download, 20 verification, 30 installation, 40 trial failed.\n' +
        'After arming, the configured reboot command runs; without one it exits 0 (reboot_pending) and the next boot\n' +
        'has to be made by somebody else. The next run after it tries the new slot and confirms it, or goes back: then\n' +
        'it exits 40 (rollback_pending), and the boot after that is the earlier slot again.',
    )
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .option('--once', 'one poll, or one attempt up to the reboot, then exit')
    .option('--log <format>', 'text, or json: one object per line on stderr', logFormat, 'text' as LogFormat)
    .action(runAgent);
}

async function runAgent(options: RunCommandOptions): Promise<void> {
  useLittleMemory();
  const config = await readConfig(options.config);
  const { Agent } = await import('../../agent/agent.ts');
  const log = new Log({ format: options.log, write: note });
  const progress = await createProgress({ json: options.json === true || options.log === 'json', lines: false });
  const { adviceOn } = await import('../../agent/config/advice.ts');
  for (const message of adviceOn(config)) log.line({ level: 'warn', event: 'note', message });
  const showBytes = bytesShown(progress);
  const service = joinService(config, log);
  const agent = new Agent(config, {
    world: service?.world,
    onEvent: (event: AgentEvent, attempt: Attempt | null) => {
      log.event(event, attempt);
      showBytes(event);
      service?.onEvent(event);
    },
  });
  try {
    const onBegin = async (): Promise<void> => service?.ready();
    const result = await withSignals((signal) => agent.run({ once: options.once, signal, onBegin }));
    progress.stop();
    process.exitCode = result.status;
    showResult(result, options, log);
  } catch (error) {
    // A service that is told to stop has stopped: that is no failure of the update.
    const stopped = UpdateError.is(error) && error.code === 'aborted' && error.detail['signal'] === 'SIGTERM';
    if (!stopped || options.once === true) {
      if (options.log === 'text' || options.json === true) throw error;
      process.exitCode = logFailure(log, UpdateError.from(error));
      return;
    }
    log.line({ level: 'info', event: 'stopped', message: 'stopped' });
  } finally {
    progress.stop();
    await service?.stopping();
  }
}

/** Whoever collects JSON from stderr gets no words on stdout beside it. */
function showResult(result: RunResult, options: RunCommandOptions, log: Log): void {
  const { status, code, message } = result;
  if (options.log === 'json')
    log.line({ level: status === 0 ? 'info' : 'error', event: 'result', message, status, code });
  if (options.log === 'json' && options.json !== true) return;
  report(options, result, `${message} (${code}, ${status})`);
}

/** Returns the exit code. */
function logFailure(log: Log, error: UpdateError): number {
  const { message, code, status, outcome, retryable, action } = error;
  log.line({ level: 'error', event: 'failed', message, code, status, outcome, retryable, action });
  return exitCodeFor(error);
}

function bytesShown(progress: Progress): (event: AgentEvent) => void {
  let downloading = false;
  return (event) => {
    if (event.type === 'state' && event.state !== 'APPLY' && event.state !== 'WAIT_NET') {
      progress.stop();
      downloading = false;
    }
    if (event.type !== 'bytes') return;
    if (!downloading) progress.start('download', event.payloadBytes);
    downloading = true;
    progress.update(Math.min(event.wireBytes, event.payloadBytes));
  };
}
