/**
 * Helpers for tests of the repository and the server: real payloads without a worker pool, keys, a TUF client.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Updater } from 'tuf-js';
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
  type PublishOptions,
  type RepositoryOptions,
  type RoleSigners,
} from '../../src/release/index.ts';
import { imageBytes, sha256, sha256Node, TEST_SIZES } from './images.ts';

const SEGMENT = 64 * 1024;

function segmentsOf(target: Uint8Array, bytes = SEGMENT): Uint8Array[] {
  const count = Math.ceil(target.length / bytes);
  return Array.from({ length: count }, (_, i) => target.subarray(i * bytes, (i + 1) * bytes));
}

function common(target: Uint8Array, segmentBytes = SEGMENT) {
  return {
    ...{ targetBytes: target.length, targetDigest: sha256(target), segmentBytes, hash: sha256Node },
    segmentDigests: segmentsOf(target, segmentBytes).map(sha256),
  };
}

/** As plainMaker, with segments of so many bytes in deltas. */
export const makerWithDeltaSegments = (segmentBytes: number): PayloadMaker => ({
  async full(image) {
    const target = sparseImage(image, 'target').dense;
    const payload = assembleFull({ ...common(target), segments: segmentsOf(target) });
    return { payload, header: parseHeader(payload), kind: 'full', cpuSeconds: 0 };
  },
  async delta(from, to) {
    const [source, target] = [sparseImage(from, 'source').dense, sparseImage(to, 'target').dense];
    const length = Math.min(source.length, target.length);
    const covers = coverListOf([{ sourceOffset: 0, targetOffset: 0, length }]);
    const payload = assembleDelta({
      ...common(target, segmentBytes),
      ...encodeCovered({ source, target, covers }, segmentBytes, TEST_SIZES),
      ...{ sourceBytes: source.length, sourceDigest: sha256(source) },
    });
    return { payload, header: parseHeader(payload), kind: 'delta', cpuSeconds: 0 };
  },
});

/** Real payloads: full ones stored as they are, deltas under one cover that begins at 0 in both images. */
export const plainMaker: PayloadMaker = makerWithDeltaSegments(SEGMENT);

/** An image of a version: the same for all versions but for a few bytes. */
export function imageOf(version: number, bytes = 150_000): Uint8Array {
  const image = imageBytes(bytes, 7);
  for (let i = 0; i < 50; i++) image[(i * 2971 + version) % bytes]! += version;
  return image;
}

const folders: string[] = [];
process.on('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder of its own, gone at the end of the process at the latest. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'engraft-test-'));
  folders.push(folder);
  return folder;
}

export interface Publisher {
  readonly dir: string;
  readonly keys: string;
  readonly repository: Repository;
  readonly signers: RoleSigners;
  /** Publishes `imageOf(version)` as version `${version}.0` of product cam for hardware v1. */
  release(version: number, options?: Partial<PublishOptions>): ReturnType<typeof publish>;
}

/** Keys and a repository, not yet founded. */
export async function publisher(options: RepositoryOptions = {}): Promise<Publisher> {
  const folder = temporaryFolder();
  const [dir, keys] = [join(folder, 'repo'), join(folder, 'keys')];
  await keygen(keys);
  const signers = await loadSigners(keys);
  return { dir, keys, signers, ...releasing(dir, signers, options) };
}

/** Publishing into a given repository. */
export function releasing(dir: string, signers: RoleSigners, options: RepositoryOptions = {}) {
  const repository = new Repository(dir, options);
  const fixed = { repository, signers, engine: plainMaker, product: 'cam', hardware: 'v1', slotClass: 'rootfs' };
  const release = (version: number, more: Partial<PublishOptions> = {}) =>
    publish({ ...fixed, image: imageOf(version), version: `${version}.0`, ...more });
  return { repository, release };
}

/** A tuf-js client that trusts root version 1 of `repo` and fetches from `url`. Its folder survives it. */
export function tufClient(url: string, repo: string, folder = temporaryFolder()) {
  mkdirSync(folder, { recursive: true });
  try {
    copyFileSync(join(repo, 'metadata', '1.root.json'), join(folder, 'root.json'), 1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const fresh = () =>
    new Updater({ metadataDir: folder, metadataBaseUrl: `${url}/tuf`, config: { fetchRetry: 0, fetchTimeout: 5000 } });
  return {
    folder,
    /** Refreshes in a new client, as after a restart, and looks a target up. */
    async target(name: string) {
      const updater = fresh();
      await updater.refresh();
      return updater.getTargetInfo(name);
    },
  };
}
