/**
 * Publishing: one image becomes a release with a full payload and a delta from each of the releases before it.
 *
 * Making payloads takes long and needs no lock: blobs are content-addressed. Only the change of the metadata happens
 * under the repository's lock, where everything that was checked before is checked again.
 * @module
 */
import { formatName, PLAIN_DELTA as PLAIN } from '../../native-free/format/features.ts';
import type { Profile } from '../../native-free/format/profile.ts';
import { sparseImage, type ImageLike } from '../../native-free/diff/fills/sparse-image.ts';
import { UpdateError } from '../../native-free/status.ts';
import { sameLine, sameRelease, type Catalog, type CatalogPayload, type CatalogRelease } from './catalog.ts';
import { readCheckedImage } from './checked-image.ts';
import { checkReleaseKey, deltaTargetName, fullTargetName, type ReleaseKey } from './custom.ts';
import { imageDigests } from './digests.ts';
import type { DeviceClass } from './pricing/price.ts';
import { pricedDelta } from './pricing/priced-delta.ts';
import { foreignBundleOf, type ForeignBundle } from './foreign-bundle.ts';
import type { RoleSigners } from './keys.ts';
import type { LockOptions } from './lock.ts';
import type { PayloadMaker, PayloadProgress, PayloadResult } from './payload-maker.ts';
import { checkRelease } from './publishing/check.ts';
import { commitRelease } from './publishing/commit.ts';
import { factsOf, payloadIn, type MadePayload } from './publishing/made-payload.ts';
import type { Repository } from './repository.ts';

export interface PublishOptions extends ReleaseKey {
  readonly repository: Repository;
  readonly signers: RoleSigners;
  readonly engine: PayloadMaker;
  /** Bytes, or what is left of a large image without its fills. */
  readonly image: ImageLike;
  /**
   * Devices refuse a release with a lower index than they committed. By default it rises with every release, so that no
   * device goes back; 'keep' takes the highest of the line, so that devices may go back to the releases that have it.
   */
  readonly rollbackIndex?: number | 'keep';
  /** Deltas are made from so many of the latest releases of the same product, hardware and slot class. Default 3. */
  readonly from?: number;
  /** Allows a rollback index below one already published. */
  readonly force?: boolean;
  /** How foreign clients name the raw image; default PRODUCT-VERSION-HARDWARE-SLOTCLASS.img. */
  readonly filename?: string;
  /** 'none' keeps the file for foreign clients alone; 'auto' does so for bundles of SWUpdate and RAUC. Default 'auto'. */
  readonly payloads?: 'auto' | 'all' | 'none';
  readonly matcher?: 'own' | 'bsdiff' | 'both';
  /** What deltas are made for, default `small`; or devices of a class, for which each delta gets the profile that pays. */
  readonly profile?: Profile | DeviceClass;
  /** Where a delta looks inside of compressed images, also make one that does not, for decoders that cannot. */
  readonly olderDecoders?: boolean;
  readonly lock?: LockOptions;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PublishProgress) => void;
}

/** `index` of the `count` payloads that this run makes. */
export type PublishProgress = PayloadProgress & {
  readonly payload: string;
  readonly kind: 'delta' | 'full';
  readonly index: number;
  readonly count: number;
};

export interface PublishResult {
  readonly release: CatalogRelease;
  /** What this run added; empty when the same release was published before. */
  readonly added: readonly CatalogPayload[];
  readonly versions: Readonly<Record<string, number>>;
  readonly cpuSeconds: number;
  /** True for the first release of a new repository: where that surprises, the folder was mistyped. */
  readonly founded: boolean;
  /** Why no payloads were made: the kind of bundle that was recognised, or that none were asked for. */
  readonly withoutPayloads: ForeignBundle | 'asked' | null;
}

interface MadeRelease {
  readonly release: CatalogRelease;
  readonly made: readonly MadePayload[];
  readonly cpuSeconds: number;
}

/**
 * Publishes a release. Publishing the same content again adds only the deltas that are missing.
 * @throws UpdateError usage_invalid, release_exists, release_rollback, repository_busy, signature_invalid,
 * key_unreadable, disk_full, output_unwritable, aborted, memory_exceeded, and what the engine throws; then nothing was published
 */
export async function publish(options: PublishOptions): Promise<PublishResult> {
  const key = checkReleaseKey({
    product: options.product,
    version: options.version,
    hardware: options.hardware,
    slotClass: options.slotClass,
  });
  const image = sparseImage(options.image, 'image');
  if (image.map.imageBytes === 0) throw new UpdateError('usage_invalid', 'the image is empty');
  const artifact = {
    filename: options.filename ?? `${key.product}-${key.version}-${key.hardware}-${key.slotClass}.img`,
    bytes: image.map.imageBytes,
    ...imageDigests(image),
  };
  // Founds the repository if need be: bad keys and conflicts show before hours of work, not after.
  const before = await options.repository.exclusively(options.signers, async ({ state }) => state, options.lock);
  const rollbackIndex = checkRelease(before.catalog, { ...key, sha256: artifact.sha256 }, options);
  const publishedAt = options.repository.now().toISOString();
  const bare = { ...key, rollbackIndex, publishedAt, artifact, payloads: [], dropped: [] };
  const withoutPayloads = whyWithoutPayloads(options, artifact.filename);
  const missing = withoutPayloads === null ? missingDeltas(options, before.catalog, bare) : [];
  checkSizes(options, missing);
  await options.repository.blobs.add(options.image);
  const { release, made, cpuSeconds } =
    withoutPayloads === null
      ? await makeRelease(options, before.catalog, bare, missing)
      : { release: bare, made: [], cpuSeconds: 0 };
  if (options.signal?.aborted) throw new UpdateError('aborted', 'publishing was cancelled; nothing was published');
  return options.repository.exclusively(
    options.signers,
    async (access) => {
      // Others may have published meanwhile: the index rises above theirs as well.
      const rollbackIndex = checkRelease(access.state.catalog, { ...key, sha256: artifact.sha256 }, options);
      const done = await commitRelease(access, { ...release, rollbackIndex }, made);
      return { ...done, cpuSeconds, withoutPayloads, founded: before.versions.targets === 0 };
    },
    options.lock,
  );
}

function whyWithoutPayloads({ payloads, image }: PublishOptions, filename: string): PublishResult['withoutPayloads'] {
  if (payloads === 'none') return 'asked';
  if (payloads === 'all') return null;
  const { map, dense } = sparseImage(image, 'image');
  // Bundles are compressed throughout.
  return map.count > 0 ? null : foreignBundleOf(dense, filename);
}

/** What is to be made from one earlier release. */
interface MissingDelta {
  readonly from: CatalogRelease;
  readonly best: boolean;
  /** For older decoders, where the best one is of another format. */
  readonly plain: boolean;
}

/** The releases that deltas are wanted from, and of which there are none yet. */
function missingDeltas(options: PublishOptions, catalog: Catalog, bare: CatalogRelease): MissingDelta[] {
  const known = catalog.releases.find((release) => sameRelease(release, bare));
  const find = (name: string) => known?.payloads.find((payload) => payload.targetName === name);
  return deltaSources(catalog, bare, options.from ?? 3)
    .map((from) => {
      const { sha256 } = from.artifact;
      const best = find(deltaTargetName(bare, sha256));
      const isPlain = best?.format === formatName(PLAIN) || find(deltaTargetName(bare, sha256, PLAIN)) !== undefined;
      return { from, best: best === undefined, plain: options.olderDecoders === true && !isPlain };
    })
    .filter(({ best, plain }) => best || plain);
}

/** By size first: nothing is read or made where there is no memory for one of the deltas. */
function checkSizes({ engine, image, matcher }: PublishOptions, missing: readonly MissingDelta[]): void {
  const targetBytes = sparseImage(image, 'image').dense.length;
  for (const { from } of missing) {
    try {
      // How much of an earlier image are fills is not known before it is read: no more is asked for than the target takes.
      engine.checkSizes?.(Math.min(from.artifact.bytes, targetBytes), targetBytes, { matcher });
    } catch (thrown) {
      const { code, message, detail } = UpdateError.from(thrown);
      throw new UpdateError(code, `the delta from ${from.version}: ${message}`, { detail, cause: thrown });
    }
  }
}

async function makeRelease(
  options: PublishOptions,
  catalog: Catalog,
  bare: CatalogRelease,
  missing: readonly MissingDelta[],
): Promise<MadeRelease> {
  const known = catalog.releases.find((release) => sameRelease(release, bare));
  const { blobs } = options.repository;
  const { image, engine, signal } = options;
  const made: MadePayload[] = [];
  const dropped: CatalogRelease['dropped'] = [];
  let cpuSeconds = 0;

  let fullBytes = known?.payloads.find((payload) => payload.kind === 'full')?.bytes;
  const deltas = missing.flatMap(({ from, best, plain }) => [
    ...(best ? [{ from, isPlain: false }] : []),
    ...(plain ? [{ from, isPlain: true }] : []),
  ]);
  const count = deltas.length + (fullBytes === undefined ? 1 : 0);
  let begun = 0;
  const progress = (kind: 'delta' | 'full', payload: string = kind) => {
    const index = begun++;
    return (at: PayloadProgress) => options.onProgress?.({ ...at, payload, kind, index, count });
  };
  const store = async (result: PayloadResult, targetName: string, source: CatalogPayload['source']): Promise<void> => {
    cpuSeconds += result.cpuSeconds;
    made.push(payloadIn(bare, factsOf(result, await blobs.add(result.payload)), source, targetName));
  };

  if (fullBytes === undefined) {
    const full = await engine.full(image, { signal, onProgress: progress('full') });
    fullBytes = full.payload.length;
    await store(full, fullTargetName(bare), null);
  }
  for (const { from, isPlain } of deltas) {
    const label = `delta from ${from.version}${isPlain ? ' for older decoders' : ''}`;
    const onProgress = progress('delta', label);
    const source = { version: from.version, bytes: from.artifact.bytes, sha256: from.artifact.sha256 };
    const targetName = deltaTargetName(bare, source.sha256, isPlain ? PLAIN : undefined);
    if (isPlain && isServed(made, dropped, source.sha256)) continue;
    try {
      const sourceImage = readSource(blobs.path(source.sha256), source.sha256);
      const settings = { signal, onProgress, matcher: options.matcher, unpack: !isPlain };
      const make = (profile: Profile) => engine.delta(sourceImage, image, { ...settings, profile });
      const wanted = options.profile ?? 'small';
      const delta = typeof wanted === 'string' ? await make(wanted) : await pricedDelta(make, fullBytes, wanted);
      if (delta.payload.length >= fullBytes) {
        throw new UpdateError('delta_not_smaller', `${delta.payload.length} bytes against ${fullBytes} in full`);
      }
      await store(delta, targetName, source);
    } catch (error) {
      if (!UpdateError.is(error) || error.code !== 'delta_not_smaller') throw error;
      const reason = isPlain ? `for older decoders: ${error.message}` : error.message;
      dropped.push({ version: from.version, sha256: source.sha256, reason });
    }
  }
  return { release: { ...bare, dropped }, made, cpuSeconds };
}

/** Whether older decoders read what this run has made from a source; where the best delta gains nothing, no other does. */
const isServed = (made: readonly MadePayload[], dropped: CatalogRelease['dropped'], sha256: string): boolean =>
  dropped.some((delta) => delta.sha256 === sha256) ||
  made.some(({ payload }) => payload.source?.sha256 === sha256 && payload.format === formatName(PLAIN));

/** An earlier image, out of the repository; bytes where it has no fills. */
function readSource(path: string, sha256: string): ImageLike {
  const image = readCheckedImage(path, sha256);
  return image.map.count === 0 ? image.dense : image;
}

/** The latest releases of the same line, newest first, each image once. */
function deltaSources(catalog: Catalog, release: CatalogRelease, count: number): CatalogRelease[] {
  const sources = new Map<string, CatalogRelease>();
  for (const earlier of [...catalog.releases].reverse()) {
    if (sources.size >= count) break;
    if (!sameLine(earlier, release) || sameRelease(earlier, release) || earlier.payloads.length === 0) continue;
    if (!sources.has(earlier.artifact.sha256)) sources.set(earlier.artifact.sha256, earlier);
  }
  return [...sources.values()];
}
