/**
 * `engraft worker`: makes payloads for the server of a repository, in a process of its own.
 * @module
 */
import { once } from 'node:events';
import { Command, Option } from 'commander';
import { integerOption, report, withSignals, type CommonOptions } from '../terminal/frame.ts';

interface WorkerOptions extends CommonOptions {
  readonly repo: string;
  readonly store?: string;
  readonly workers?: number;
  readonly memory?: number;
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug';
}

/** The command, for the frame. */
export function define(): Command {
  return new Command('worker')
    .description('Make payloads for the server of a repository on this machine. Needs no keys.')
    .requiredOption('--repo <dir>', 'the repository that the server serves')
    .option('--store <file>', 'its database (default: server.db in the repository)')
    .option('-w, --workers <n>', 'worker threads (default: one a processor)', integerOption('--workers', 1, 256))
    .option('--memory <mib>', 'memory bound in MiB', integerOption('--memory', 1, 2 ** 24))
    .addOption(
      new Option('--log-level <level>', 'what is logged to stderr')
        .choices(['silent', 'error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .action(work);
}

async function work(options: WorkerOptions): Promise<void> {
  const { createLogger, defaultStorePath, newWorker, Store } = await import('../../server/index.ts');
  const { Repository } = await import('../../release/index.ts');
  const { makerFor } = await import('../payload-maker.ts');
  const { maker, memoryBytes } = await makerFor(options);
  const store = await Store.open(options.store ?? defaultStorePath(options.repo));
  const logger = createLogger(options.logLevel);
  const worker = newWorker({ repository: new Repository(options.repo), queue: store.jobs, maker, memoryBytes, logger });
  await withSignals(async (signal) => {
    try {
      worker.start();
      report(options, { repo: options.repo, memoryBytes }, `working for ${options.repo}`);
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      await worker.stop();
      await maker.close();
      await store.close();
    }
  });
}
