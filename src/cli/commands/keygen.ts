/**
 * `engraft keygen`: the keys that sign a repository.
 * @module
 */
import { Command } from 'commander';
import { report, type CommonOptions } from '../terminal/frame.ts';
import { formatTable } from '../terminal/text.ts';

/** The command, for the frame. */
export function define(): Command {
  return new Command('keygen')
    .description('Make an Ed25519 key for each TUF role. Keys that exist are never overwritten.')
    .argument('<dir>', 'folder for the key files (made if need be)')
    .addHelpText('after', '\nKeep root.key.pem offline once the first release is published.')
    .action(async (dir: string, options: CommonOptions) => {
      const { keygen } = await import('../../release/index.ts');
      const keys = await keygen(dir);
      report(options, { keys }, () =>
        formatTable([['role', 'key id', 'file'], ...keys.map((key) => [key.role, key.keyId, key.path])]),
      );
    });
}
