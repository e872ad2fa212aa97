/**
 * `engraft-agent check-config`: is the configuration in order, and what does it come to with all defaults?
 * @module
 */
import { Command } from 'commander';
import { withoutNetworkSecrets } from '../../agent/config/network.ts';
import { report } from '../terminal/frame.ts';
import { formatPairs } from '../terminal/text.ts';
import { DEFAULT_CONFIG, readConfig, type AgentCommandOptions } from './common.ts';

/** The command, for the frame. */
export function define(): Command {
  return new Command('check-config')
    .description(
      'Check the configuration and print what it comes to, defaults included. A token is not shown.\n' +
        'Touches nothing; whether files and devices exist is seen by `status`. Exits 30 and names the key when it is wrong.',
    )
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .action(async (options: AgentCommandOptions) => {
      const read = new Map<string, unknown>();
      const config = await readConfig(options.config, read);
      const { adviceOn } = await import('../../agent/config/advice.ts');
      const advice = adviceOn(config);
      const values = [...read].map(([key, value]) => [key, withoutSecrets(key, value)] as const).sort(byName);
      report(options, { ...nested(values), advice }, () => textOf(values, advice));
    });
}

type Value = readonly [key: string, value: unknown];

const byName = ([a]: Value, [b]: Value): number => (a < b ? -1 : 1);

const HIDDEN = '(set)';

/** What this prints ends up in support requests. */
function withoutSecrets(key: string, value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (/(^server\..*token|pin|password|secret)$/.test(key)) return HIDDEN;
  if (typeof value !== 'string') return value;
  if (key === 'server.proxy') return withoutNetworkSecrets({ proxy: value }).proxy;
  if (key === 'server.client_key') return withoutNetworkSecrets({ client: { cert: '', key: value } }).client?.key;
  return value;
}

/** As the tables of the file. */
function nested(values: readonly Value[]): Record<string, unknown> {
  const top: Record<string, unknown> = {};
  for (const [key, value] of values) {
    const names = key.split('.');
    const last = names.pop()!;
    let table = top;
    for (const name of names) table = (table[name] ??= {}) as Record<string, unknown>;
    table[last] = value;
  }
  return top;
}

function textOf(values: readonly Value[], advice: readonly string[]): string {
  const table = formatPairs(values.map(([key, value]) => [key, value === null ? '-' : JSON.stringify(value)]));
  return [table, ...advice].join('\n\n');
}
