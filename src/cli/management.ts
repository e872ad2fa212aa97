/**
 * What the commands that ask a running server share: where it is, who asks, how pages are turned.
 * @module
 */
import type { Command } from 'commander';
import { UpdateError } from '../../native-free/status.ts';
import type { ManagementClient } from '../client/index.ts';
import { integerOption, note, type CommonOptions } from './terminal/frame.ts';

export interface ManagementOptions extends CommonOptions {
  readonly server: string;
  readonly token?: string;
  readonly tenant: string;
}

export interface PageOptions {
  readonly limit: number;
}

const TOKEN = 'ENGRAFT_MANAGEMENT_TOKEN';
const SERVER = 'ENGRAFT_SERVER';

/** Adds the options that say which server. */
export function asksServer(command: Command): Command {
  return command
    .option('--server <url>', `the server (default: ${SERVER}, else http://127.0.0.1:8080)`)
    .option('--token <token>', `its management token (better: ${TOKEN}, which no list of processes shows)`)
    .option('--tenant <name>', 'whose devices', 'default');
}

/** Adds the option for the length of a page. */
export function isPaged(command: Command): Command {
  return command.option('--limit <n>', 'rows', integerOption('--limit', 1, 500), 100);
}

/** Throws UpdateError usage_invalid without a token or with an address that is none. */
export async function clientFor(options: Partial<ManagementOptions>): Promise<ManagementClient> {
  const url = options.server ?? (process.env[SERVER] || 'http://127.0.0.1:8080');
  const token = options.token ?? process.env[TOKEN];
  if (!/^https?:\/\/[^/]/.test(url)) throw new UpdateError('usage_invalid', `--server must be a URL, not '${url}'`);
  if (token === undefined || token === '') {
    throw new UpdateError('usage_invalid', `the management token is needed: set ${TOKEN}, or give --token`);
  }
  const { ManagementClient } = await import('../client/index.ts');
  return new ManagementClient({ url, token, tenant: options.tenant });
}

/** Parses the number of a release, a deployment or a rollout. Throws UpdateError usage_invalid. */
export const numberOf =
  (what: string) =>
  (text: string): number => {
    if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
    throw new UpdateError('usage_invalid', `a ${what} has a number, not '${text}'`);
  };

/** Says how to go on, where a page is full. */
export function noteMore(rows: number, { limit }: PageOptions, next: string): void {
  if (rows === limit) note(`${rows} rows; the next page: ${next}`);
}

/** '2026-11-29 21:30', UTC. */
export function shortTime(iso: string | null): string {
  return iso === null ? 'never' : iso.slice(0, 16).replace('T', ' ');
}
