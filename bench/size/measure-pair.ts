/**
 * One pair of the corpus measured: our patch and those of the tools that are there, each proved.
 * @module
 */
import { join } from 'node:path';
import { cacheFolder, corpusPair, findPair, type PairPaths } from '../../corpus/index.ts';
import { missingPrograms, PEERS, runPeer, type Outcome, type Peer, type PeerFiles } from '../peers/index.ts';
import { runOurs } from './ours.ts';
import type { Skipped } from './report.ts';
import { withRatio, type PairResult } from './results.ts';
import type { ToolBytes } from './stored.ts';

/** Progress; the tables go to standard output. */
export const say = (text: string): void => console.error(text);

/** The tools among these that are there, and why the others are not. */
export function peersHere(names: readonly string[]): { peers: Peer[]; skippedPeers: Skipped[] } {
  const chosen = PEERS.filter((peer) => names.includes(peer.name));
  const peers = chosen.filter((peer) => missingPrograms(peer).length === 0);
  const skippedPeers = chosen
    .filter((peer) => !peers.includes(peer))
    .map((peer) => ({ name: peer.name, reason: `not on PATH: ${missingPrograms(peer).join(', ')}` }));
  for (const { name, reason } of skippedPeers) say(`${name} skipped: ${reason}`);
  return { peers, skippedPeers };
}

/** Both images of a pair, or why they are not there and how to get them. */
export async function imagesOf(name: string, fetch: boolean): Promise<PairPaths | Skipped> {
  const isBuilt = 'rootfs' in findPair(name).source.from;
  let reason = `not in the cache; npm run corpus -- ${isBuilt ? '--rootfs-tar PATH ' : ''}${name}`;
  const onMiss = (message: string): void => {
    if (fetch) reason = message.replaceAll(cacheFolder(), 'the cache');
  };
  const paths = await corpusPair(name, { fetch, onMiss });
  if (paths !== null) return paths;
  say(`${name} skipped: ${reason}`);
  return { name, reason };
}

/** Where the images of a pair are and what is made of them goes. */
export function filesOf(name: string, paths: PairPaths, folder: string): PeerFiles {
  const { source, target } = findPair(name);
  return {
    ...paths,
    sourceBytes: source.bytes,
    targetBytes: target.bytes,
    patch: join(folder, 'patch'),
    between: join(folder, 'between'),
    output: join(folder, 'output'),
  };
}

export async function measurePair(
  name: string,
  files: PeerFiles,
  peers: readonly Peer[],
  workers: number,
  stored: ToolBytes | undefined,
): Promise<PairResult> {
  const { family, arch, target } = findPair(name);
  const ours = await runOurs(files, target.sha256, { workers });
  say(`${name}: engraft ${inWords(ours)}`);
  const outcomes = await measurePeers(name, files, target.sha256, peers);
  const facts = { name, family, arch, sourceBytes: files.sourceBytes, targetBytes: files.targetBytes };
  return withRatio({ ...facts, ours, peers: outcomes, ...(stored === undefined ? {} : { stored }) });
}

export async function measurePeers(
  name: string,
  files: PeerFiles,
  targetSha256: string,
  peers: readonly Peer[],
): Promise<Record<string, Outcome>> {
  const outcomes: Record<string, Outcome> = {};
  for (const peer of peers) {
    const outcome = await runPeer(peer, files, targetSha256);
    outcomes[peer.name] = outcome;
    say(`${name}: ${peer.name} ${inWords(outcome)}`);
  }
  return outcomes;
}

export function inWords(outcome: Outcome): string {
  if (outcome.state !== 'proved') return `${outcome.state}: ${outcome.reason}`;
  const { bytes, diff, apply } = outcome;
  const cost = [diff, apply].map((use) => `${use.cpuSeconds.toFixed(2)} s ${(use.peakBytes / 2 ** 20).toFixed(0)} MiB`);
  return `${bytes.toLocaleString('en')} bytes, diff ${cost[0]}, apply ${cost[1]}`;
}
