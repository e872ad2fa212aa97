/**
 * `engraft deployment`: what was deployed, which device gets which payload, how far it is; and how to stop it.
 * @module
 */
import { Command, Option } from 'commander';
import type { Deployment } from '../../server/index.ts';
import { integerOption, report } from '../terminal/frame.ts';
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
import { describePayload, endOf, formatTable } from '../terminal/text.ts';

interface ListOptions extends ManagementOptions, PageOptions {
  readonly before?: number;
  readonly state?: Deployment['state'];
}

interface ShowOptions extends ManagementOptions, PageOptions {
  readonly after?: string;
}

const idOf = numberOf('deployment');

/** The command, for the frame. */
export function define(): Command {
  const list = isPaged(asksServer(new Command('list')))
    .description('List deployments, newest first.')
    .option('--before <id>', 'begin behind this id', integerOption('--before', 1, Number.MAX_SAFE_INTEGER))
    .addOption(new Option('--state <state>', 'only these').choices(['active', 'finished', 'cancelled', 'superseded']))
    .action(listDeployments);
  const show = isPaged(asksServer(new Command('show')))
    .description('Show one deployment: each device, what runs there, the payload it gets, and how it ended.')
    .argument('<id>', 'the number of the deployment', idOf)
    .option('--after <device>', 'begin behind this device')
    .action(showDeployment);
  const cancel = asksServer(new Command('cancel'))
    .description('Stop a deployment: devices that did not begin get nothing, the others are asked to stop.')
    .argument('<id>', 'the number of the deployment', idOf)
    .action(cancelDeployment);
  return new Command('deployment')
    .description('Ask a running server about its deployments, or stop one.')
    .addCommand(list)
    .addCommand(show)
    .addCommand(cancel);
}

const HEAD = ['deployment', 'release', 'hardware', 'slot class', 'to', 'state', 'made (UTC)', 'devices'];

function rowOf({ id, release, selector, state, createdAt, actions }: Deployment): string[] {
  const counts = Object.entries(actions).map(([name, count]) => `${count} ${name}`);
  const { product, version, hardware, slotClass } = release;
  const to = { all: 'all', devices: 'named', rollout: 'rollout' }[selector];
  const devices = counts.length === 0 ? 'none yet' : counts.join(', ');
  return [String(id), `${product} ${version}`, hardware, slotClass, to, state, shortTime(createdAt), devices];
}

async function listDeployments(options: ListOptions): Promise<void> {
  const client = await clientFor(options);
  const { limit, before, state } = options;
  const deployments = await client.deployments({ limit, before, state });
  const rows = deployments.map(rowOf);
  report(options, { deployments }, () => (rows.length === 0 ? 'no deployments' : formatTable([HEAD, ...rows])));
  noteMore(rows.length, options, `--before ${deployments.at(-1)?.id}`);
}

async function showDeployment(id: number, options: ShowOptions): Promise<void> {
  const client = await clientFor(options);
  const { limit, after } = options;
  const deployment = await client.deployment(id);
  const actions = await client.deploymentActions(id, { limit, after });
  const head = ['device', 'runs', 'state', 'payload', 'ended with', 'changed (UTC)', 'last seen (UTC)'];
  const rows = actions.map((action) => [
    ...[action.controllerId, action.runs ?? '-', action.state, describePayload(action.payload), endOf(action)],
    ...[shortTime(action.updatedAt), shortTime(action.lastSeen)],
  ]);
  report(options, { ...deployment, devices: actions }, () =>
    [formatTable([HEAD, rowOf(deployment)]), rows.length === 0 ? 'no devices' : formatTable([head, ...rows])].join(
      '\n\n',
    ),
  );
  noteMore(rows.length, options, `--after ${actions.at(-1)?.controllerId}`);
}

async function cancelDeployment(id: number, options: ManagementOptions): Promise<void> {
  const deployment = await (await clientFor(options)).cancelDeployment(id);
  report(options, deployment, () => formatTable([HEAD, rowOf(deployment)]));
}
