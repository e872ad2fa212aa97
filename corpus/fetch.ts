/**
 * `npm run corpus -- [--list] [--all] [--rootfs-tar PATH] [NAME...]`: fetches pairs into the cache and checks them.
 *
 * Without names it fetches every pair that comes from a registry. Standard output has one line a pair; the exit code
 * is 0 only when every wanted pair is there.
 * @module
 */
import { parseArgs } from 'node:util';
import { exitCodeOf, UpdateError } from '../native-free/status.ts';
import { cachedPair, corpusPairs, fetchPair, findPair, type CorpusPair, type PairPaths } from './index.ts';
import { Packages } from './packages.ts';
import { buildRootfsPairs } from './rootfs.ts';

const HELP = `usage: npm run corpus -- [--list] [--rootfs-tar PATH] [NAME...]

  NAME...            pairs to fetch; without any, all that come from the npm and Debian registries
  --list             only say which pairs there are and which are in the cache
  --rootfs-tar PATH  build the rootfs-* pairs from this tar (needs root for owners, squashfs-tools, erofs-utils, e2fsprogs)
  ENGRAFT_CACHE      folder of the cache (default: .cache in the checkout)
`;

const isRootfs = (pair: CorpusPair): boolean => 'rootfs' in pair.source.from;

function readArguments(): { list: boolean; help: boolean; rootfsTar: string | undefined; names: string[] } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        'rootfs-tar': { type: 'string' },
      },
    });
    return { list: values.list, help: values.help, rootfsTar: values['rootfs-tar'], names: positionals };
  } catch (cause) {
    throw new UpdateError('usage_invalid', (cause as Error).message, { cause });
  }
}

/** Bring one pair into the cache; a line about it either way. */
async function bring(pair: CorpusPair, get: () => Promise<PairPaths>): Promise<boolean> {
  try {
    const there = await cachedPair(pair);
    const paths = there ?? (await get());
    console.log(
      `${there === null ? 'fetched' : 'cached '} ${pair.name}: ${paths.source.replace(/source$/, '{source,target}')}`,
    );
    return true;
  } catch (error) {
    console.log(`missing ${pair.name}: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

async function main(): Promise<number> {
  const { list, help, rootfsTar, names } = readArguments();
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const wantsRootfs = (pair: CorpusPair): boolean => !isRootfs(pair) || rootfsTar !== undefined;
  const wanted = names.length > 0 ? names.map(findPair) : corpusPairs().filter(list ? () => true : wantsRootfs);
  if (list) {
    for (const pair of wanted)
      console.log(`${(await cachedPair(pair)) === null ? '-' : 'cached'}\t${pair.name}\t${pair.family}\t${pair.arch}`);
    return 0;
  }
  const packages = new Packages();
  let missing = 0;
  try {
    for (const pair of wanted) {
      const get =
        isRootfs(pair) && rootfsTar !== undefined
          ? () => buildRootfsPairs(pair, rootfsTar)
          : () => fetchPair(pair, packages);
      if (!(await bring(pair, get))) missing++;
    }
  } finally {
    await packages.close();
  }
  console.log(`${wanted.length - missing} of ${wanted.length} pairs are there`);
  return missing === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const known = UpdateError.from(error);
  console.error(`${known.message}\n${known.action}`);
  process.exitCode = exitCodeOf(known);
}
