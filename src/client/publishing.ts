/**
 * Publishing through a server: uploads that go on where they broke off, releases, jobs, plans, prices.
 * @module
 */
import { UpdateError } from '../../native-free/status.ts';
import type { Job, NewRelease, NewUpload, Plan, Publication, RolloutPrice, Upload } from '../server/index.ts';
import type { Ask } from './ask.ts';

/** Bytes that are sent: read again where a piece was lost. */
export interface UploadSource {
  readonly bytes: number;
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

const PIECE_BYTES = 8 * 2 ** 20;
/** Failures of the link in a row, after which an upload is given up. */
const FAILURES_MAX = 5;

export class PublishingClient {
  readonly #ask: Ask;
  readonly #tenant: string;

  constructor(ask: Ask, tenant: string) {
    this.#ask = ask;
    this.#tenant = tenant;
  }

  beginUpload(upload: NewUpload): Promise<Upload> {
    return this.#ask('POST', '/uploads', {}, upload);
  }

  upload(id: string): Promise<Upload> {
    return this.#ask('GET', `/uploads/${encodeURIComponent(id)}`);
  }

  /** The next bytes of an upload. Throws UpdateError state_conflict where it goes on elsewhere. */
  append(id: string, offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<Upload> {
    const raw = { bytes, headers: { 'Upload-Offset': String(offset) } };
    return this.#ask('PATCH', `/uploads/${encodeURIComponent(id)}`, {}, raw);
  }

  deleteUpload(id: string): Promise<Upload> {
    return this.#ask('DELETE', `/uploads/${encodeURIComponent(id)}`);
  }

  /**
   * Sends all that an upload lacks; a piece that did not arrive is asked for and sent again.
   * @throws UpdateError as calls do; target_digest for bytes that are not those declared
   */
  async send(
    upload: Upload,
    source: UploadSource,
    onProgress: (done: number) => void = () => undefined,
  ): Promise<Upload> {
    let now = upload;
    for (let failures = 0; !now.complete;) {
      try {
        const length = Math.min(PIECE_BYTES, source.bytes - now.offset);
        now = await this.append(now.id, now.offset, await source.read(now.offset, length));
        failures = 0;
        onProgress(now.offset);
      } catch (error) {
        const mayPass = UpdateError.is(error) && (error.code === 'link_failed' || error.code === 'state_conflict');
        if (!mayPass || ++failures >= FAILURES_MAX) throw error;
        now = await this.upload(now.id);
      }
    }
    return now;
  }

  publish(release: NewRelease): Promise<Publication> {
    return this.#ask('POST', '/releases', {}, release);
  }

  publication(id: number): Promise<Publication> {
    return this.#ask('GET', `/publications/${id}`);
  }

  /** What would be made for a release now. */
  plan(releaseId: number, bounds: { readonly deltasMax?: number; readonly latest?: number } = {}): Promise<Plan> {
    return this.#ask('GET', `/releases/${releaseId}/plan`, { ...bounds });
  }

  /** Plans a release anew and hands what is missing to the queue. */
  replan(releaseId: number, bounds: { readonly deltasMax?: number; readonly latest?: number } = {}): Promise<Plan> {
    return this.#ask('POST', `/releases/${releaseId}/plan`, { ...bounds });
  }

  /** What a rollout would cost; `groups` are percentages, one a wave. */
  price(
    releaseId: number,
    { groups, ...asked }: { groups?: readonly number[]; pricePerMb?: number; linkBits?: number } = {},
  ): Promise<RolloutPrice> {
    const query = { ...asked, groups: groups?.join(','), tenant: this.#tenant };
    return this.#ask('GET', `/releases/${releaseId}/price`, query);
  }

  /** Newest first. */
  async jobs(
    page: { readonly limit?: number; readonly before?: string; readonly state?: Job['state'] } = {},
  ): Promise<Job[]> {
    return (await this.#ask<{ jobs: Job[] }>('GET', '/jobs', { ...page })).jobs;
  }

  job(id: string): Promise<Job> {
    return this.#ask('GET', `/jobs/${encodeURIComponent(id)}`);
  }

  cancelJob(id: string): Promise<Job> {
    return this.#ask('POST', `/jobs/${encodeURIComponent(id)}/cancel`);
  }
}
