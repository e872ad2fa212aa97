/**
 * `engraft keygen`: the keys that sign a repository, and the one that wraps the keys of encrypted payloads.
 * @module
 */
import { Command } from 'commander';
import { UpdateError } from '../../../native-free/status.ts';
import { report, type CommonOptions } from '../terminal/frame.ts';
import { formatTable } from '../terminal/text.ts';

interface KeygenOptions extends CommonOptions {
  readonly masterKey?: string;
}

/** The command, for the frame. */
export function define(): Command {
  return new Command('keygen')
    .description('Make an Ed25519 key for each TUF role. Keys that exist are never overwritten.')
    .argument('[dir]', 'folder for the key files (made if need be)')
    .option('--master-key <file>', 'make the master key of encrypted payloads instead, in this file')
    .addHelpText('after', '\nKeep root.key.pem offline once the first release is published.')
    .action(async (dir: string | undefined, options: KeygenOptions) => {
      const { masterKey: path } = options;
      if ((dir === undefined) === (path === undefined)) {
        throw new UpdateError('usage_invalid', 'name a folder for the signing keys, or a file with --master-key');
      }
      const { keygen, makeMasterKey } = await import('../../release/index.ts');
      if (path !== undefined) {
        const id = await makeMasterKey(path);
        report(options, { masterKey: { id, path } }, () => `master key ${id} in ${path}: publisher and server need it`);
        return;
      }
      const keys = await keygen(dir!);
      report(options, { keys }, () =>
        formatTable([['role', 'key id', 'file'], ...keys.map((key) => [key.role, key.keyId, key.path])]),
      );
    });
}
