/**
 * `engraft repo verify`: a whole repository looked through.
 * @module
 */
import { Command } from 'commander';
import { report, withSignals, type CommonOptions } from '../terminal/frame.ts';
import { formatTable } from '../terminal/text.ts';

interface VerifyCommandOptions extends CommonOptions {
  readonly keys?: string;
}

const HELP = `
Exit code: 0 when nothing but notes was found, 10 with warnings (a document expires before long, a key signs for two
roles), 20 with errors (devices cannot update, or should not).`;

/** The command, for the frame. */
export function define(): Command {
  const verify = new Command('verify')
    .description('Verify all metadata as a client would, every blob, the catalog, keys and expiry.')
    .argument('<dir>', 'the repository')
    .option('--keys <dir>', 'also look who may read the keys in this folder')
    .addHelpText('after', HELP)
    .action(verifyFolder);
  return new Command('repo').description('Look at a repository.').addCommand(verify);
}

async function verifyFolder(dir: string, options: VerifyCommandOptions): Promise<void> {
  const { Repository, verifyRepository } = await import('../../release/index.ts');
  const keyFolders = options.keys === undefined ? [] : [options.keys];
  const result = await withSignals((signal) => verifyRepository(new Repository(dir), { keyFolders, signal }));
  const { findings, expiry, releases, targets, blobs } = result;
  report(options, result, () => {
    const rows = expiry.map(({ role, version, expires, daysLeft }) => [role, String(version), expires, `${daysLeft}`]);
    const counts = `${releases} releases, ${targets} targets, ${blobs} blobs digested`;
    const table = formatTable([['role', 'version', 'expires', 'days left'], ...rows]);
    return [table, counts, ...findings.map(({ severity, text }) => `${severity}: ${text}`)].join('\n');
  });
  const has = (wanted: string): boolean => findings.some(({ severity }) => severity === wanted);
  process.exitCode = has('error') ? 20 : has('warning') ? 10 : 0;
}
