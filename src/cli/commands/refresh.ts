/**
 * `engraft refresh`: the repository's metadata signed anew, so that it does not expire.
 * @module
 */
import { Command } from 'commander';
import type { RefreshResult } from '../../release/index.ts';
import { EXPIRE_DAYS_DEFAULT, EXPIRE_DAYS_HELP } from '../expiry.ts';
import { integerOption, report, withSignals, type CommonOptions } from '../terminal/frame.ts';
import { formatTable } from '../terminal/text.ts';

interface RefreshCommandOptions extends CommonOptions {
  readonly repo: string;
  readonly keys: string;
  readonly expireDays: number;
  readonly all?: boolean;
}

const HELP = `
The timestamp is always renewed; snapshot and targets when half of their life is over. Only the keys of what is renewed
are needed: the targets key may stay offline until the table says that its time has come. Run it from a timer, about
four times in the life of a timestamp.`;

/** The command, for the frame. */
export function define(): Command {
  return new Command('refresh')
    .description('Sign the metadata of a repository anew, so that it does not expire. Publishes nothing.')
    .requiredOption('--repo <dir>', 'the repository')
    .requiredOption('--keys <dir>', 'the keys at hand, as keygen names them')
    .option('--expire-days <n>', EXPIRE_DAYS_HELP, integerOption('--expire-days', 1, 36_500), EXPIRE_DAYS_DEFAULT)
    .option('--all', 'renew snapshot and targets, too, however fresh they are')
    .addHelpText('after', HELP)
    .action(refresh);
}

async function refresh(options: RefreshCommandOptions): Promise<void> {
  const { loadSignersAtHand, Repository } = await import('../../release/index.ts');
  const repository = new Repository(options.repo, { expiryDays: { timestamp: options.expireDays } });
  const signers = await loadSignersAtHand(options.keys);
  const { all } = options;
  const result = await withSignals((signal) => repository.refresh(signers, { signal, ...(all ? { all } : {}) }));
  report(options, { ...result }, () => textOf(result));
}

function textOf({ renewed, versions, expires }: RefreshResult): string {
  const roles = ['root', 'targets', 'snapshot', 'timestamp'] as const;
  const rows = roles.map((role) => {
    const signed = role !== 'root' && renewed.includes(role) ? 'signed anew' : '';
    return [role, String(versions[role]), expires[role], signed];
  });
  return formatTable([['role', 'version', 'expires', ''], ...rows]);
}
