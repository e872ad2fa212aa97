/**
 * The signed repository that the simulated devices update from: real TUF metadata and real payloads, made once, held
 * in memory. Images are small (three segments), because a campaign writes them a million times.
 *
 * | version | rootfs payloads | boot payloads |
 * |---|---|---|
 * | 1.0 | full | full |
 * | 2.0 | full | full |
 * | 3.0 | full | full (the image of 2.0 again) |
 * | 4.0 | full, delta from each earlier one | full (the image of 2.0 again) |
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metadata, Timestamp } from '@tufjs/models';
import { sparseImage } from '../../native-free/diff/fills/sparse-image.ts';
import { assembleDelta, assembleFull } from '../../native-free/diff/write/assemble.ts';
import { encodeCovered } from '../../native-free/diff/write/encode-segment.ts';
import { coverListOf } from '../../native-free/format/cover.ts';
import { parseHeader } from '../../native-free/format/payload-header.ts';
import {
  keygen,
  loadSigners,
  publish,
  Repository,
  type PayloadMaker,
  type RoleSigners,
} from '../../src/release/index.ts';
import { encodeMetadata, headOf, parseMetadata, signWith } from '../../src/release/metadata.ts';
import { seededRandom } from '../../src/testing/index.ts';
import { sha256Node, sha256Of } from '../../src/platform/hash.ts';
import { SEGMENT_BYTES, type Attack, type RepositoryFiles } from './images.ts';

/** Always the same: waits have jitter from the clock, and a failure has to be the same failure tomorrow. */
const MADE_AT_MS = Date.UTC(2026, 0, 1);
const IMAGE_BYTES = 2 * SEGMENT_BYTES + 10_000;
const CHANGE_EVERY = 95;
const BOOT_IMAGE_BYTES = SEGMENT_BYTES + 3_000;
/** Small model tables: a decoder clears them for every segment. */
const MODEL_SIZES = { flagBits: 12, byteBits: 14 };

const sha256 = (bytes: Uint8Array): Uint8Array => sha256Of(bytes);

const segmentsOf = (target: Uint8Array): Uint8Array[] =>
  Array.from({ length: Math.ceil(target.length / SEGMENT_BYTES) }, (_, i) =>
    target.subarray(i * SEGMENT_BYTES, (i + 1) * SEGMENT_BYTES),
  );

function common(target: Uint8Array) {
  const segmentDigests = segmentsOf(target).map(sha256);
  const targetDigest = sha256(target);
  return {
    targetBytes: target.length,
    targetDigest,
    segmentBytes: SEGMENT_BYTES,
    segmentDigests,
    hash: sha256Node,
  };
}

/** Full payloads as they are, deltas under one cover over the whole image: quick to make and quick to decode. */
const maker: PayloadMaker = {
  full(image) {
    const target = sparseImage(image, 'target').dense;
    const payload = assembleFull({ ...common(target), segments: segmentsOf(target) });
    return Promise.resolve({ payload, header: parseHeader(payload), kind: 'full', cpuSeconds: 0 });
  },
  delta(from, to) {
    const [source, target] = [sparseImage(from, 'source').dense, sparseImage(to, 'target').dense];
    const covers = coverListOf([{ sourceOffset: 0, targetOffset: 0, length: Math.min(source.length, target.length) }]);
    const payload = assembleDelta({
      ...common(target),
      ...encodeCovered({ source, target, covers }, SEGMENT_BYTES, MODEL_SIZES),
      sourceBytes: source.length,
      sourceDigest: sha256(source),
    });
    return Promise.resolve({ payload, header: parseHeader(payload), kind: 'delta', cpuSeconds: 0 });
  },
};

/** Versions differ in every segment, enough for a delta that does not fit into its header. */
function imagesOf(bytes: number, seed: number, versions: number): Uint8Array[] {
  const random = seededRandom(seed);
  const first = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) first[i] = Math.floor(random() * 256);
  return Array.from({ length: versions }, () => {
    const image = first.slice();
    for (let i = Math.floor(random() * 100); i < bytes; i += CHANGE_EVERY) image[i] = Math.floor(random() * 256);
    return image;
  });
}

function readAll(folder: string): Map<string, Uint8Array> {
  const names = readdirSync(folder);
  return new Map(names.map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]));
}

/** The timestamp of before the last release, once the device has gone on to the snapshot of the newest one. */
function oldTimestamp(metadata: Map<string, Uint8Array>, early: Map<string, Uint8Array>): Attack {
  const { version } = parseMetadata('timestamp', metadata.get('timestamp.json')!, 'timestamp.json').signed.snapshotMeta;
  return {
    metadata,
    forged: new Map([['timestamp.json', early.get('timestamp.json')!]]),
    believed: `${version}.snapshot.json`,
    code: 'metadata_rollback',
  };
}

/** All keys are changed by root 2, and somebody has the old timestamp key: he hides the root and signs a new timestamp. */
async function revokedKey(repository: Repository, folder: string, signers: RoleSigners): Promise<Attack> {
  const keys = mkdtempSync(join(tmpdir(), 'engraft-campaign-'));
  try {
    await keygen(keys);
    await repository.rotateRoot(signers, (await loadSigners(keys)) as Required<RoleSigners>);
  } finally {
    rmSync(keys, { recursive: true, force: true });
  }
  const metadata = readAll(folder);
  const { signed } = parseMetadata('timestamp', metadata.get('timestamp.json')!, 'timestamp.json');
  const head = headOf(signed.version + 1, signed.expires);
  const stolen = new Metadata(new Timestamp({ ...head, snapshotMeta: signed.snapshotMeta }));
  await signWith(stolen, signers.timestamp);
  return {
    metadata,
    forged: new Map([
      ['2.root.json', null],
      ['timestamp.json', encodeMetadata(stolen)],
    ]),
    believed: 'timestamp.json',
    code: 'signature_invalid',
  };
}

export async function makeRepository(): Promise<RepositoryFiles> {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-campaign-'));
  try {
    const [repo, keys] = [join(folder, 'repo'), join(folder, 'keys')];
    await keygen(keys);
    const signers = await loadSigners(keys);
    const repository = new Repository(repo, { now: () => new Date(MADE_AT_MS) });
    const rootfs = imagesOf(IMAGE_BYTES, 11, 5);
    const boots = imagesOf(BOOT_IMAGE_BYTES, 12, 3);
    const images = { rootfs, boot: [...boots, boots[2]!, boots[2]!] };
    let early = new Map<string, Uint8Array>();
    for (const slotClass of ['boot', 'rootfs'] as const) {
      for (const index of [1, 2, 3, 4]) {
        if (slotClass === 'rootfs' && index === 4) early = readAll(join(repo, 'metadata'));
        const from = slotClass === 'rootfs' && index === 4 ? 3 : 0;
        const image = images[slotClass][index]!;
        const release = { product: 'cam', version: `${index}.0`, hardware: 'v1', slotClass, rollbackIndex: index };
        await publish({ repository, signers, engine: maker, ...release, image, from });
      }
    }
    const metadata = readAll(join(repo, 'metadata'));
    return {
      metadata,
      attacks: {
        'old-timestamp': oldTimestamp(metadata, early),
        'revoked-key': await revokedKey(repository, join(repo, 'metadata'), signers),
      },
      blobs: readAll(join(repo, 'blobs', 'sha256')),
      images,
      madeAtMs: MADE_AT_MS,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
