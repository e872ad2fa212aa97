/**
 * Publishing through the server: plans what is to be made, hands it to the queue, and signs into the repository what
 * jobs have made. A release is visible from the moment that its full payload is there; deltas follow one by one.
 *
 * All that is under way stands in the database, and every step may be done again: it goes on after a crash.
 * @module
 */
import type { Kysely } from 'kysely';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { jobMemoryBytes } from '../../engine/memory-plan.ts';
import { checkRelease, checkReleaseKey, type CatalogRelease, type ReleaseKey, type Repository, type RoleSigners } from '../../release/index.ts'; // prettier-ignore
import { sameLine, sameRelease } from '../../release/catalog.ts';
import { payloadJob } from '../jobs/payload-job.ts';
import type { JobQueue } from '../jobs/queue.ts';
import { DEFAULT_BOUNDS, estimateDeltaBytes, planDeltas, type DeltaPlan, type PlanBounds } from '../planning/plan.ts';
import { fleetCounts } from '../store/fleet-counts.ts';
import type { Database } from '../store/schema.ts';
import { PlanStore, type PlannedPayload, type Publication, type PublicationWishes } from './plan-store.ts';
import type { StoredUpload } from './uploads.ts';

export interface PublisherOptions {
  readonly db: Kysely<Database>;
  readonly queue: JobQueue;
  readonly repository: Repository;
  readonly now: () => number;
  /** Without them nothing is published: the repository is another's to sign. */
  readonly signers?: RoleSigners | undefined;
}

export interface PublishRequest extends ReleaseKey, PublicationWishes {
  readonly filename?: string | undefined;
}

/** Bands of urgency: a release is nothing without its full payload, and a device that waits is worth more than a plan. */
const PRIORITY = { full: 3000, demand: 2000, planned: 1000, latest: 500 } as const;

/** Workers of all machines are taken to have so many threads, for the memory that a job is said to need. */
const THREADS = 2;

export class Publisher {
  readonly plans: PlanStore;
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.plans = new PlanStore(options.db, options.now);
  }

  get signers(): RoleSigners | undefined {
    return this.#options.signers;
  }

  /**
   * Begins to publish an image that was uploaded. Asking again for the same changes nothing.
   * @throws UpdateError state_conflict without keys or for an upload that is not whole; usage_invalid, release_exists,
   * release_rollback
   */
  async publish(request: PublishRequest, upload: StoredUpload, adopt: () => Promise<void>): Promise<Publication> {
    const { repository } = this.#options;
    if (this.#options.signers === undefined) throw withoutKeys();
    const key = checkReleaseKey(keyOf(request));
    if (upload.digests === null) {
      throw new UpdateError('state_conflict', `upload ${upload.id} has ${upload.offset} of ${upload.bytes} bytes`);
    }
    const { catalog } = await repository.state();
    checkRelease(catalog, { ...key, sha256: upload.sha256 }, request);
    const usual = `${key.product}-${key.version}-${key.hardware}-${key.slotClass}.img`;
    const artifact = { filename: request.filename ?? upload.filename ?? usual, bytes: upload.bytes, ...upload.digests };
    const { rollbackIndex, force, payloads, deltasMax, latest } = request;
    await adopt();
    const wishes = { rollbackIndex, force, payloads, deltasMax, latest };
    const publication = await this.plans.publish(key, artifact, wishes);
    await this.enqueue(publication);
    return publication;
  }

  /** Hands the jobs of a release in the making to the queue: also after a crash, which may have come before. */
  async enqueue({ artifact, wishes, ...key }: Publication): Promise<void> {
    if (wishes.payloads === 'none') return;
    const { queue } = this.#options;
    const label = `full payload of ${key.product} ${key.version}`;
    const input = { target: artifact.sha256, source: null, profile: 'small', label } as const;
    const job = payloadJob(input, PRIORITY.full, memoryFor(0, artifact.bytes));
    const { id: jobId } = await queue.add(job);
    const planned = { ...keyOf(key), source: null, jobId, jobKey: job.key, origin: 'plan', devices: 0 } as const;
    await this.plans.want({ ...planned, kind: 'full', estimateBytes: Math.ceil(artifact.bytes / 2) });
    const plan = await this.planFor(key, artifact, wishes);
    await this.#enqueuePlan(key, artifact, plan);
  }

  /** What would be made for a release now. */
  async planFor(
    key: ReleaseKey,
    artifact: CatalogRelease['artifact'],
    bounds: Partial<PlanBounds> = {},
  ): Promise<DeltaPlan> {
    const { db, repository } = this.#options;
    const { catalog } = await repository.state();
    const line = catalog.releases.filter((release) => sameLine(release, key) && release.payloads.length > 0);
    const known = line.find((release) => sameRelease(release, key));
    const fullBytes = fullBytesOf(known) ?? Math.ceil(artifact.bytes * fullShareOf(line));
    const settled = new Set([
      ...(known?.payloads ?? []).flatMap(({ source }) => (source === null ? [] : [source.sha256])),
      ...(known?.dropped ?? []).map(({ sha256 }) => sha256),
    ]);
    return planDeltas({
      target: artifact,
      fullBytes,
      sources: line
        .filter((release) => !sameRelease(release, key))
        .map(({ version, artifact: { sha256, bytes } }) => ({ version, sha256, bytes }))
        .reverse(),
      devices: await fleetCounts(db, key),
      settled,
      knownShare: deltaShareOf(line),
      bounds: { ...DEFAULT_BOUNDS, ...bounds },
    });
  }

  /** Plans a published release anew, by the fleet as it is now. Throws UpdateError entity_unknown, state_conflict. */
  async replan(
    release: ReleaseKey & Pick<CatalogRelease, 'artifact'>,
    bounds: Partial<PlanBounds> = {},
  ): Promise<DeltaPlan> {
    if (this.#options.signers === undefined) throw withoutKeys();
    const plan = await this.planFor(release, release.artifact, bounds);
    await this.#enqueuePlan(release, release.artifact, plan);
    return plan;
  }

  /** A device asks for a delta that nobody planned: it is made once, before planned ones. Null where it cannot be. */
  async demand(key: ReleaseKey, artifact: CatalogRelease['artifact'], version: string): Promise<PlannedPayload | null> {
    if (this.#options.signers === undefined) return null;
    const of = (payload: PlannedPayload): boolean => payload.source?.version === version;
    const known = (await this.plans.ofRelease(key)).find(of);
    if (known !== undefined && (known.state !== 'wanted' || known.origin === 'demand')) return known;
    const { catalog } = await this.#options.repository.state();
    const source = catalog.releases.find((one) => sameLine(one, key) && one.version === version);
    if (source === undefined || source.artifact.sha256 === artifact.sha256) return null;
    await this.#want(key, artifact, { version, ...source.artifact }, { priority: PRIORITY.demand, origin: 'demand' });
    return (await this.plans.ofRelease(key)).find(of) ?? null;
  }

  async #enqueuePlan(key: ReleaseKey, artifact: CatalogRelease['artifact'], plan: DeltaPlan): Promise<void> {
    for (const [rank, delta] of plan.chosen.entries()) {
      const band = delta.devices > 0 ? PRIORITY.planned : PRIORITY.latest;
      const about = { priority: band - Math.min(rank, 400), origin: 'plan', ...delta } as const;
      await this.#want(key, artifact, delta, about);
    }
  }

  async #want(
    key: ReleaseKey,
    artifact: CatalogRelease['artifact'],
    source: { readonly version: string; readonly sha256: string; readonly bytes: number },
    about: { priority: number; origin: 'plan' | 'demand'; devices?: number; estimateBytes?: number },
  ): Promise<void> {
    const label = `delta of ${key.product} ${source.version} to ${key.version}`;
    const input = { target: artifact.sha256, source: source.sha256, profile: 'small', label } as const;
    const job = payloadJob(input, about.priority, memoryFor(source.bytes, artifact.bytes));
    const { id: jobId } = await this.#options.queue.add(job);
    const { version, sha256 } = source;
    const estimateBytes = about.estimateBytes ?? estimateDeltaBytes(artifact.bytes / 2, 0, null);
    const planned = { jobId, jobKey: job.key, origin: about.origin, devices: about.devices ?? 0, estimateBytes };
    await this.plans.want({ ...keyOf(key), kind: 'delta', source: { version, sha256 }, ...planned });
  }
}

export const keyOf = ({ product, version, hardware, slotClass }: ReleaseKey): ReleaseKey => ({
  ...{ product, version, hardware, slotClass },
});

const withoutKeys = (): UpdateError =>
  new UpdateError(
    'state_conflict',
    'this server holds no signing keys: start it with --keys, or publish with `engraft publish`',
  );

function memoryFor(sourceBytes: number, targetBytes: number): number {
  const [source, target] = [sourceBytes, targetBytes].map((bytes) => Math.min(bytes, LIMITS.dense_bytes_max));
  const shape = { sourceBytes: source!, targetBytes: target!, segmentBytes: 2 ** 20, workers: THREADS };
  return jobMemoryBytes({ ...shape, matcher: 'own' });
}

const fullBytesOf = (release: CatalogRelease | undefined): number | undefined =>
  release?.payloads.find(({ kind }) => kind === 'full')?.bytes;

/** What full payloads of a line take of their images; half where there is none. */
function fullShareOf(line: readonly CatalogRelease[]): number {
  const latest = line.at(-1);
  const bytes = fullBytesOf(latest);
  return latest === undefined || bytes === undefined || latest.artifact.bytes === 0
    ? 0.5
    : bytes / latest.artifact.bytes;
}

/** The median share that deltas of a line have of their full payloads; null without any. */
function deltaShareOf(line: readonly CatalogRelease[]): number | null {
  const shares = line.flatMap((release) => {
    const full = fullBytesOf(release);
    return full === undefined
      ? []
      : release.payloads.flatMap(({ kind, bytes }) => (kind === 'delta' ? [bytes / full] : []));
  });
  return shares.length === 0 ? null : shares.sort((a, b) => a - b)[Math.floor(shares.length / 2)]!;
}
