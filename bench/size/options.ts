/**
 * The command line of `npm run bench:size`.
 * @module
 */
import { parseArgs } from 'node:util';
import { findPair } from '../../corpus/index.ts';
import { PEERS } from '../peers/index.ts';
import { COMPRESSED_PAIRS } from './results.ts';

export const HELP = `usage: npm run bench:size -- [options] [PAIR...]

  PAIR...         pairs of the corpus; without any, all that are in the cache
  --peers A,B     only these tools: ${PEERS.map((peer) => peer.name).join(', ')}
  --no-peers      ours alone, against the stored figures
  --workers N     worker threads of engraft diff (default 1)
  --fetch         fetch pairs that are not in the cache
  --json FILE     all figures as JSON; - for standard output, then without the tables
  --write         put the report into bench/size/RESULTS.md; with --compressed, what was measured into COMPRESSED.md,
                  which keeps its other rows
  --compressed    only pairs of compressed images; beside ours on their contents where the corpus has those
    --plain       and with nothing unpacked, which takes as long again
    --idealised   and the other tools on the contents of both images, as if packing them again cost nothing
`;

export interface SizeOptions {
  readonly help: boolean;
  /** Empty: all that are in the cache. */
  readonly names: readonly string[];
  readonly peers: readonly string[];
  readonly workers: number;
  readonly fetch: boolean;
  readonly json: string | null;
  readonly write: boolean;
  readonly compressed: boolean;
  /** Ours with nothing unpacked as well. */
  readonly plain: boolean;
  /** The other tools on contents as well. */
  readonly idealised: boolean;
}

/** Read the arguments. Throws for unknown options, pairs and tools. */
export function readSizeOptions(args: readonly string[]): SizeOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      peers: { type: 'string' },
      'no-peers': { type: 'boolean', default: false },
      workers: { type: 'string', default: '1' },
      fetch: { type: 'boolean', default: false },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
      compressed: { type: 'boolean', default: false },
      plain: { type: 'boolean', default: false },
      idealised: { type: 'boolean', default: false },
    },
  });
  const names = positionals.map((name) => findPair(name).name);
  const workers = Number(values.workers);
  if (!Number.isInteger(workers) || workers < 1) throw new Error(`--workers takes a count, not "${values.workers}"`);
  const peers = values['no-peers'] ? [] : choosePeers(values.peers);
  const { help, fetch, write, compressed, plain, idealised } = values;
  if (!compressed && (plain || idealised)) throw new Error('--plain and --idealised go with --compressed');
  const other = compressed ? names.find((name) => !COMPRESSED_PAIRS.includes(name)) : undefined;
  if (other !== undefined) throw new Error(`"${other}" is no pair of compressed images`);
  return { help, names, peers, workers, fetch, json: values.json ?? null, write, compressed, plain, idealised };
}

function choosePeers(list: string | undefined): string[] {
  const known = PEERS.map((peer) => peer.name);
  if (list === undefined) return known;
  const wanted = list.split(',').filter((name) => name !== '');
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`there is no peer "${unknown.join('", "')}"; there are ${known.join(', ')}`);
  return known.filter((name) => wanted.includes(name));
}

/** The command that measures the same again, for the report. Where its JSON went is nobody's business. */
export function commandOf({ names, peers, workers, write, compressed, plain, idealised }: SizeOptions): string {
  const options = [
    ...(compressed ? ['--compressed'] : []),
    ...(plain ? ['--plain'] : []),
    ...(idealised ? ['--idealised'] : []),
    ...(peers.length === 0 ? ['--no-peers'] : peers.length < PEERS.length ? ['--peers', peers.join(',')] : []),
    ...(workers === 1 ? [] : ['--workers', String(workers)]),
    ...(write ? ['--write'] : []),
    ...names,
  ];
  return ['npm run bench:size', ...(options.length === 0 ? [] : ['--', ...options])].join(' ');
}
