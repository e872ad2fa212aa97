/**
 * `engraft rollout`: gives a release to a fleet in groups, shows how far it is, and stops it.
 * @module
 */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { ioError } from '../../../native-free/io-error.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { ManagementClient } from '../../client/index.ts';
import type { NewRollout, Rollout, RolloutCommand } from '../../server/index.ts';
import {
  asksServer,
  clientFor,
  isPaged,
  noteMore,
  numberOf,
  shortTime,
  type ManagementOptions,
  type PageOptions,
} from '../management.ts';
import { integerOption, report, withSignals } from '../terminal/frame.ts';
import { formatBytes, formatTable } from '../terminal/text.ts';
import { pause } from '../../platform/timers.ts';

interface PlanOptions extends ManagementOptions {
  readonly release: number;
  readonly groups: NewRollout['plan']['groups'];
  readonly success: number;
  readonly error: number;
  readonly filter?: string;
  readonly dynamic?: boolean;
  readonly approve?: boolean;
  readonly perHour?: number;
  readonly concurrent?: number;
  readonly timeout?: number;
  readonly retries?: number;
  readonly startAt?: string;
  readonly plan?: string;
  readonly of?: number;
}

const idOf = numberOf('rollout');

/** The command, for the frame. */
export function define(): Command {
  const command = new Command('rollout')
    .description('Give a release to a fleet in groups: the next group begins when the one before has succeeded.')
    .addCommand(
      planned(new Command('create'))
        .description('Plan a rollout. It begins with `engraft rollout start`, or at --start-at.')
        .action((name: string, options: PlanOptions) => create(name, options)),
    )
    .addCommand(
      planned(new Command('rollback'))
        .description('Plan a rollout of another release to the devices that a rollout has let in.')
        .requiredOption('--of <id>', 'the rollout to take back', integerOption('--of', 1, Number.MAX_SAFE_INTEGER))
        .action((name: string, options: PlanOptions) => create(name, options)),
    )
    .addCommand(
      isPaged(asksServer(new Command('list')))
        .description('List rollouts, newest first.')
        .option('--before <id>', 'begin behind this id', integerOption('--before', 1, Number.MAX_SAFE_INTEGER))
        .action(list),
    )
    .addCommand(
      isPaged(asksServer(new Command('show')))
        .description('Show one rollout: its groups, its devices, and who did what.')
        .argument('<id>', 'the number of the rollout', idOf)
        .option('--after <device>', 'begin behind this device')
        .option('--watch', 'show it again whenever it has changed, until it has ended')
        .action(show),
    );
  for (const [name, text] of Object.entries(COMMANDS)) {
    command.addCommand(
      asksServer(new Command(name))
        .description(text)
        .argument('<id>', 'the number of the rollout', idOf)
        .option('--why <text>', 'kept in the audit log')
        .action((id: number, options: ManagementOptions & { why?: string }) =>
          tell(id, name as RolloutCommand, options),
        ),
    );
  }
  return command;
}

const COMMANDS: Readonly<Record<RolloutCommand, string>> = {
  approve: 'Approve a rollout, or the next group of one that runs.',
  start: 'Begin a rollout that is ready.',
  pause: 'Let no more devices in; those that are at it go on.',
  resume: 'Go on with a rollout that was paused, or that has halted: its failures so far count no more.',
  stop: 'End a rollout for ever: once this has answered, no device is offered the release.',
};

function planned(command: Command): Command {
  return asksServer(command)
    .argument('<name>', 'what people call it; taken once')
    .requiredOption('--release <id>', 'number of the release', integerOption('--release', 1, Number.MAX_SAFE_INTEGER))
    .option('--groups <list>', 'percentages, counts, and `rest` for the last, with commas: 10,5%,20%,rest', groupsOf, [
      ...groupsOf('rest'),
    ])
    .option('--success <percent>', 'of a group, before the next begins', integerOption('--success', 1, 100), 100)
    .option('--error <percent>', 'of a group, which halt the rollout', integerOption('--error', 1, 100), 10)
    .option('--filter <rsql>', 'which devices, such as version=in=(1.0,1.1);attribute.region==eu*')
    .option('--dynamic', 'later devices join the last group')
    .option('--approve', 'it has to be approved first')
    .option('--per-hour <n>', 'devices let in each hour', integerOption('--per-hour', 1, 1e9))
    .option('--concurrent <n>', 'devices at it at the same time', integerOption('--concurrent', 1, 1e9))
    .option('--timeout <minutes>', 'a device that takes longer has failed', integerOption('--timeout', 1, 1_000_000))
    .option('--retries <n>', 'for a device that failed', integerOption('--retries', 0, 10))
    .option('--start-at <time>', 'begin by itself then, as 2027-01-31T03:00:00Z')
    .option('--plan <file>', 'all of that and more as JSON (RolloutPlan of the OpenAPI document); wins over options');
}

/** Throws UpdateError usage_invalid. */
function groupsOf(text: string): PlanOptions['groups'] {
  return text.split(',').map((part) => {
    const match = /^(?:(\d+(?:\.\d+)?)%|(\d+)|rest)$/.exec(part.trim());
    if (match === null) throw new UpdateError('usage_invalid', `--groups: '${part}' is no 5%, 10 or rest`);
    if (match[1] !== undefined) return { percent: Number(match[1]) };
    return match[2] === undefined ? {} : { count: Number(match[2]) };
  });
}

async function create(name: string, options: PlanOptions): Promise<void> {
  const { success, error, filter, perHour, concurrent, timeout, retries, startAt } = options;
  const groups = options.groups.map((group) => ({ ...group, successPercent: success, errorPercent: error }));
  const plan: NewRollout['plan'] = {
    groups,
    ...{ filter, dynamic: options.dynamic, approve: options.approve, concurrent, retries, startAt },
    ...(perHour === undefined ? {} : { rate: { devicesPerHour: perHour } }),
    ...(timeout === undefined ? {} : { timeoutMinutes: timeout }),
    ...(options.plan === undefined ? {} : planFrom(options.plan)),
  };
  const client = await clientFor(options);
  const rollout = await client.createRollout({ name, releaseId: options.release, plan, after: options.of });
  report(options, rollout, () => textOf(rollout));
}

function planFrom(path: string): Partial<NewRollout['plan']> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as NewRollout['plan'];
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new UpdateError('usage_invalid', `${path} is no JSON: ${cause.message}`);
    throw ioError(cause, 'input_unreadable', `cannot read ${path}`, { path });
  }
}

const HEAD = ['rollout', 'name', 'release', 'hardware', 'state', 'made (UTC)', 'devices'];

function countsOf(devices: Readonly<Record<string, number | undefined>>): string {
  const counts = Object.entries(devices).map(([state, count]) => `${count} ${state.replace('_', ' ')}`);
  return counts.length === 0 ? 'none' : counts.join(', ');
}

function rowOf({ id, name, release, state, createdAt, groups }: Rollout): string[] {
  const sums: Record<string, number> = {};
  for (const { devices } of groups)
    for (const [key, count] of Object.entries(devices)) sums[key] = (sums[key] ?? 0) + count;
  const { product, version, hardware } = release;
  return [String(id), name, `${product} ${version}`, hardware, state, shortTime(createdAt), countsOf(sums)];
}

function textOf(rollout: Rollout): string {
  const groups = rollout.groups.map(({ name, state, bytes, devices }, i) => {
    return [String(i + 1), name, state, formatBytes(bytes), countsOf(devices)];
  });
  const table = formatTable([['group', 'name', 'state', 'payloads', 'devices'], ...groups]);
  const why = rollout.reason === null ? [] : [`${rollout.state}: ${rollout.reason}`];
  return [formatTable([HEAD, rowOf(rollout)]), table, ...why].join('\n\n');
}

async function list(options: ManagementOptions & PageOptions & { before?: number }): Promise<void> {
  const { limit, before } = options;
  const rollouts = await (await clientFor(options)).rollouts({ limit, before });
  const rows = rollouts.map(rowOf);
  report(options, { rollouts }, () => (rows.length === 0 ? 'no rollouts' : formatTable([HEAD, ...rows])));
  noteMore(rows.length, options, `--before ${rollouts.at(-1)?.id}`);
}

interface ShowOptions extends ManagementOptions, PageOptions {
  readonly after?: string;
  readonly watch?: boolean;
}

async function show(id: number, options: ShowOptions): Promise<void> {
  const client = await clientFor(options);
  if (options.watch === true) await watch(client, id, options);
  const { limit, after } = options;
  const rollout = await client.rollout(id);
  const devices = await client.rolloutDevices(id, { limit, after });
  const audit = await client.rolloutAudit(id);
  const head = ['device', 'group', 'state', 'attempt', 'why'];
  const rows = devices.map((each) => [
    ...[each.controllerId, String(each.group), each.state.replace('_', ' ')],
    ...[String(each.attempt), each.reason ?? ''],
  ]);
  const log = audit.map(({ at, who, what, why }) => [shortTime(at), who, what, why ?? '']);
  report(options, { ...rollout, devices, audit }, () =>
    [
      textOf(rollout),
      rows.length === 0 ? 'no devices' : formatTable([head, ...rows]),
      formatTable([['when (UTC)', 'who', 'what', 'why'], ...log]),
    ].join('\n\n'),
  );
  noteMore(rows.length, options, `--after ${devices.at(-1)?.controllerId}`);
}

const WATCH_MS = 2000;

async function watch(client: ManagementClient, id: number, options: ShowOptions): Promise<void> {
  await withSignals(async (signal) => {
    let last = '';
    while (!signal.aborted) {
      const rollout = await client.rollout(id);
      const text = textOf(rollout);
      if (text !== last) report(options, rollout, text);
      last = text;
      if (rollout.state === 'finished' || rollout.state === 'stopped') return;
      await pause(WATCH_MS);
    }
  });
}

async function tell(id: number, command: RolloutCommand, options: ManagementOptions & { why?: string }): Promise<void> {
  const rollout = await (await clientFor(options)).commandRollout(id, command, options.why);
  report(options, rollout, () => textOf(rollout));
}
