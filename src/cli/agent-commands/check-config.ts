/**
 * `engraft-agent check-config`: is the configuration in order, and what does it come to with all defaults?
 * @module
 */
import { Command } from 'commander';
import type { AgentConfig } from '../../agent/index.ts';
import { withoutNetworkSecrets } from '../../agent/network/config-network.ts';
import { report } from '../frame.ts';
import { formatTable } from '../text.ts';
import { DEFAULT_CONFIG, readConfig } from './common.ts';
import type { AgentCommandOptions } from './common.ts';

/** The command, for the frame. */
export function define(): Command {
  return new Command('check-config')
    .description(
      'Check the configuration and print what it comes to, defaults included. A token is not shown.\n' +
        'Touches nothing; whether files and devices exist is seen by `status`. Exits 30 and names the key when it is wrong.',
    )
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .action(async (options: AgentCommandOptions) => {
      const config = withoutSecrets(await readConfig(options.config));
      report(options, config, () => configText(config));
    });
}

const HIDDEN = '(set)';

/** What this prints ends up in support requests. */
function withoutSecrets(config: AgentConfig): Record<string, unknown> {
  const { token } = config.server;
  const server = {
    ...config.server,
    ...withoutNetworkSecrets(config.server),
    token: token === undefined ? undefined : { ...token, value: HIDDEN },
  };
  const keystore = Object.fromEntries(
    Object.entries(config.keystore).map(([key, value]: [string, unknown]) => [key, /pin$/i.test(key) ? HIDDEN : value]),
  );
  return { ...config, server, keystore };
}

function configText(config: Record<string, unknown>): string {
  const rows: string[][] = [];
  const walk = (value: unknown, name: string): void => {
    const isTable = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isTable) rows.push([name, value === undefined ? '-' : JSON.stringify(value)]);
    else for (const [key, inner] of Object.entries(value)) walk(inner, name === '' ? key : `${name}.${key}`);
  };
  walk(config, '');
  return formatTable(rows);
}
