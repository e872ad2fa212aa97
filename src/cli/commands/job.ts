/**
 * `engraft job`: what a server makes, how far it is, and how to stop it.
 * @module
 */
import { Command, Option } from 'commander';
import { pause } from '../../platform/timers.ts';
import type { Job } from '../../server/index.ts';
import { asksServer, clientFor, isPaged, noteMore, shortTime, type ManagementOptions, type PageOptions } from '../management.ts'; // prettier-ignore
import { note, report, withSignals } from '../terminal/frame.ts';
import { formatTable } from '../terminal/text.ts';

interface ListOptions extends ManagementOptions, PageOptions {
  readonly before?: string;
  readonly state?: Job['state'];
}

interface ShowOptions extends ManagementOptions {
  readonly watch?: boolean;
}

const STATES = ['queued', 'running', 'done', 'failed', 'cancelled'];
const WATCH_MS = 1000;

/** The command, for the frame. */
export function define(): Command {
  const list = isPaged(asksServer(new Command('list')))
    .description('List jobs, newest first.')
    .option('--before <id>', 'begin behind this id')
    .addOption(new Option('--state <state>', 'only these').choices(STATES))
    .action(listJobs);
  const show = asksServer(new Command('show'))
    .description('Show one job.')
    .argument('<id>', 'the id of the job')
    .option('--watch', 'follow it until it ends')
    .action(showJob);
  const cancel = asksServer(new Command('cancel'))
    .description('Stop a job: a waiting one at once, a running one when its worker hears of it.')
    .argument('<id>', 'the id of the job')
    .action(cancelJob);
  return new Command('job')
    .description('Ask a running server about the jobs that make payloads, or stop one.')
    .addCommand(list)
    .addCommand(show)
    .addCommand(cancel);
}

const HEAD = ['job', 'makes', 'state', 'done', 'attempts', 'worker', 'changed (UTC)', 'error'];

function rowOf({ id, label, state, progress, phase, attempts, worker, updatedAt, error }: Job): string[] {
  const done = `${Math.floor(progress * 100)} %${phase === null ? '' : ` (${phase})`}`;
  return [id, label, state, done, String(attempts), worker ?? '-', shortTime(updatedAt), error?.message ?? '-'];
}

const textOf = (...jobs: Job[]): string => formatTable([HEAD, ...jobs.map(rowOf)]);

async function listJobs(options: ListOptions): Promise<void> {
  const { limit, before, state } = options;
  const jobs = await (await clientFor(options)).publishing.jobs({ limit, before, state });
  report(options, { jobs }, () => (jobs.length === 0 ? 'no jobs' : textOf(...jobs)));
  noteMore(jobs.length, options, `--before ${jobs.at(-1)?.id}`);
}

async function showJob(id: string, options: ShowOptions): Promise<void> {
  const { publishing } = await clientFor(options);
  let job = await publishing.job(id);
  await withSignals(async (signal) => {
    for (let told = ''; options.watch === true && (job.state === 'queued' || job.state === 'running');) {
      const line = `${job.state} ${Math.floor(job.progress * 100)} % ${job.phase ?? ''}`.trim();
      if (line !== told) note(line);
      told = line;
      await pause(WATCH_MS, signal);
      job = await publishing.job(id);
    }
  });
  report(options, job, () => textOf(job));
}

async function cancelJob(id: string, options: ManagementOptions): Promise<void> {
  const job = await (await clientFor(options)).publishing.cancelJob(id);
  report(options, job, () => textOf(job));
}
