/**
 * `npm run bench:size -- --compressed`: our patches between compressed images, beside other tools, beside ours between
 * the same images with nothing unpacked, and beside ours between their contents where the corpus has those.
 * @module
 */
import { rmSync } from 'node:fs';
import { findPair } from '../../corpus/index.ts';
import { commit, today } from '../harness.ts';
import type { Usage } from '../measured-process.ts';
import { digestOfFile, type Peer, type PeerFiles } from '../peers/index.ts';
import type { CompressedFigures, CompressedRow } from './compressed-figures.ts';
import { unpackedFiles } from './idealised.ts';
import { filesOf, imagesOf, inWords, measurePair, measurePeers, peersHere, say } from './measure-pair.ts';
import { commandOf, type SizeOptions } from './options.ts';
import { emptyProcess, runOurs } from './ours.ts';
import type { Skipped } from './report.ts';
import { COMPRESSED_PAIRS, type OurOutcome } from './results.ts';
import { readStoredPeers, type ToolBytes } from './stored.ts';

/** Pairs of the corpus with the same content, or most of it, in no compressed form. */
export const PLAIN_PAIRS: Readonly<Record<string, string>> = {
  'rootfs-bookworm-sqgzip': 'rootfs-bookworm-ext4',
  'rootfs-bookworm-sqxz': 'rootfs-bookworm-ext4',
  'rootfs-bookworm-sqzstd': 'rootfs-bookworm-ext4',
  'rootfs-bookworm-erofs': 'rootfs-bookworm-ext4',
  'typescript-tgz': 'typescript-js',
  'kernel-imagegz-arm64': 'kernel-image-arm64',
};

interface CompressedRun {
  readonly figures: CompressedFigures;
  readonly skipped: readonly Skipped[];
}

/** `onRun` is told after each pair what there is so far: a long run may be ended early. */
export async function measureCompressed(
  options: SizeOptions,
  folder: string,
  onRun: (run: CompressedRun) => void,
): Promise<CompressedRun> {
  const stored = readStoredPeers();
  const { peers, skippedPeers } = peersHere(options.peers);
  const measurer = new Measurer(options, folder, peers, await emptyProcess(folder));
  const pairs: Record<string, CompressedRow> = {};
  const run = (): CompressedRun => ({ figures: { pairs }, skipped: [...measurer.skipped, ...skippedPeers] });
  for (const name of options.names.length > 0 ? options.names : COMPRESSED_PAIRS) {
    const row = await measurer.row(name, stored.pairs[name]);
    if (row === null) continue;
    pairs[name] = row;
    onRun(run());
  }
  return run();
}

class Measurer {
  readonly skipped: Skipped[] = [];
  readonly #options: SizeOptions;
  readonly #folder: string;
  readonly #peers: readonly Peer[];
  readonly #floor: Usage;
  /** Four file systems have the same plain pair. */
  readonly #plain = new Map<string, OurOutcome | null>();

  constructor(options: SizeOptions, folder: string, peers: readonly Peer[], floor: Usage) {
    this.#options = options;
    this.#folder = folder;
    this.#peers = peers;
    this.#floor = floor;
  }

  /** Null where the images are not there. */
  async row(name: string, stored: ToolBytes | undefined): Promise<CompressedRow | null> {
    const files = await this.#files(name);
    if (files === null) return null;
    const { workers, plain, idealised } = this.#options;
    const { ours, peers, best, ratio } = await measurePair(name, files, this.#peers, workers, stored);
    const packed = plain ? await this.#packed(name, files) : undefined;
    const content = await this.#contentPair(name);
    return {
      date: today(),
      commit: commit(),
      command: commandOf({ ...this.#options, names: [name] }),
      targetBytes: files.targetBytes,
      floor: this.#floor,
      ...{ ours, peers, best, ratio },
      ...(packed && { packed }),
      ...(content && { plain: content }),
      ...(idealised && { idealised: await this.#idealised(name, files) }),
    };
  }

  async #files(name: string): Promise<PeerFiles | null> {
    const paths = await imagesOf(name, this.#options.fetch);
    if (!('reason' in paths)) return filesOf(name, paths, this.#folder);
    if (!this.skipped.some((one) => one.name === name)) this.skipped.push(paths);
    return null;
  }

  async #packed(name: string, files: PeerFiles): Promise<OurOutcome> {
    const { workers } = this.#options;
    const outcome = await runOurs(files, findPair(name).target.sha256, { workers, unpack: false });
    say(`${name}: engraft --no-unpack ${inWords(outcome)}`);
    return outcome;
  }

  async #contentPair(pair: string): Promise<CompressedRow['plain'] | null> {
    const name = PLAIN_PAIRS[pair];
    if (name === undefined) return null;
    let ours = this.#plain.get(name);
    if (ours === undefined) {
      const files = await this.#files(name);
      const { workers } = this.#options;
      ours = files && (await runOurs(files, findPair(name).target.sha256, { workers }));
      if (ours !== null) say(`${name}: engraft ${inWords(ours)}`);
      this.#plain.set(name, ours);
    }
    return ours && { name, targetBytes: findPair(name).target.bytes, ours };
  }

  async #idealised(name: string, files: PeerFiles): Promise<NonNullable<CompressedRow['idealised']>> {
    const unpacked = unpackedFiles(files, this.#folder);
    try {
      const digest = digestOfFile(unpacked.target);
      const peers = await measurePeers(`contents of ${name}`, unpacked, digest, this.#peers);
      return { targetBytes: unpacked.targetBytes, peers };
    } finally {
      for (const path of [unpacked.source, unpacked.target]) rmSync(path, { force: true });
    }
  }
}
