/**
 * Blobs in an object store that speaks S3. The digest that names a blob is the one that its upload is signed with, so
 * the store itself refuses other bytes; nothing that is there is written over; what was written is looked at again.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { ByteRange } from '../ranges.ts';
import type { BlobSource, BlobStore, StoredBlob } from './blob-store.ts';
import { S3Client, type S3Place } from './s3-client.ts';
import { checkedSource, PART_BYTES } from './source.ts';

/** For how long a client may fetch by itself. */
const LINK_SECONDS = 3600;
/** How often a download goes on where it was cut, without a byte in between. */
const CUTS_MAX = 4;
/** Sizes that are remembered: blobs never change. */
const SIZES_MAX = 10_000;

export class S3Blobs implements BlobStore {
  readonly #client: S3Client;
  readonly #sizes = new Map<string, number>();

  constructor(place: S3Place) {
    this.#client = new S3Client(place);
  }

  async open(sha256: string): Promise<StoredBlob | null> {
    const size = this.#sizes.get(sha256) ?? (await this.#size(sha256));
    if (size === null) return null;
    if (this.#sizes.size >= SIZES_MAX) this.#sizes.clear();
    this.#sizes.set(sha256, size);
    const read = (range: ByteRange, pieceBytes: number) => this.#pieces(sha256, range, size, pieceBytes);
    return { size, read, close: async () => undefined };
  }

  async put(sha256: string, source: BlobSource): Promise<void> {
    if ((await this.#size(sha256)) === source.size) return;
    await checkedSource(sha256, source);
    if (source.size <= PART_BYTES) await this.#putWhole(sha256, await source.read(0, source.size));
    else await this.#putParts(sha256, source);
    const size = await this.#size(sha256);
    if (size === source.size) return;
    throw this.#client.failed(`the blob ${sha256} has ${size ?? 'no'} bytes there, not ${source.size}`);
  }

  link(sha256: string): Promise<string> {
    return this.#client.link(keyOf(sha256), LINK_SECONDS);
  }

  async #size(sha256: string): Promise<number | null> {
    const answer = await this.#client.ask('HEAD', keyOf(sha256), { accept: [200, 404] });
    if (answer.status === 404) return null;
    const length = Number(answer.headers.get('Content-Length') ?? NaN);
    if (Number.isSafeInteger(length)) return length;
    throw this.#client.failed(`no length is told of the blob ${sha256}`);
  }

  async #putWhole(sha256: string, body: Uint8Array): Promise<void> {
    // 412: somebody else has just put it there.
    const headers = { 'If-None-Match': '*', 'Content-Type': 'application/octet-stream' };
    await this.#client.ask('PUT', keyOf(sha256), { body, digest: sha256, headers, accept: [200, 412] });
  }

  async #putParts(sha256: string, source: BlobSource): Promise<void> {
    const key = keyOf(sha256);
    const begun = await this.#client.ask('POST', key, { query: { uploads: '' } });
    const uploadId = /<UploadId>([^<]+)<\/UploadId>/.exec(await begun.text())?.[1];
    if (uploadId === undefined) throw this.#client.failed('an upload in parts has no id');
    try {
      let list = '';
      for (let number = 1, at = 0; at < source.size; number++, at += PART_BYTES) {
        const body = await source.read(at, Math.min(PART_BYTES, source.size - at));
        const query = { partNumber: String(number), uploadId };
        const { headers } = await this.#client.ask('PUT', key, { query, body });
        const etag = headers.get('ETag');
        if (etag === null) throw this.#client.failed(`part ${number} of ${sha256} has no tag`);
        list += `<Part><PartNumber>${number}</PartNumber><ETag>${etag.replaceAll('"', '&quot;')}</ETag></Part>`;
      }
      const body = Buffer.from(`<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`);
      const done = await this.#client.ask('POST', key, { query: { uploadId }, body });
      // This one may fail after it was answered with 200.
      const said = await done.text();
      if (/<Error>/.test(said)) throw this.#client.failed(`the parts of ${sha256} were not put together: ${said}`);
    } catch (error) {
      await this.#client.ask('DELETE', key, { query: { uploadId }, accept: [204, 404] }).catch(() => undefined);
      throw error;
    }
  }

  async *#pieces(sha256: string, range: ByteRange, size: number, pieceBytes: number): AsyncGenerator<Uint8Array> {
    let at = range.first;
    let cuts = 0;
    while (at <= range.last) {
      const begun = at;
      try {
        for await (const piece of this.#stream(sha256, { first: at, last: range.last }, size)) {
          at += piece.length;
          if (at > range.last + 1) throw this.#client.failed(`more of the blob ${sha256} came than was asked for`);
          for (let from = 0; from < piece.length; from += pieceBytes) yield piece.subarray(from, from + pieceBytes);
        }
      } catch (error) {
        if (UpdateError.is(error)) throw error;
      }
      cuts = at > begun ? 0 : cuts + 1;
      if (cuts > CUTS_MAX) throw this.#client.failed(`the blob ${sha256} ends early, at byte ${at}`);
    }
  }

  async *#stream(sha256: string, { first, last }: ByteRange, size: number): AsyncGenerator<Uint8Array> {
    const headers = { Range: `bytes=${first}-${last}` };
    const answer = await this.#client.ask('GET', keyOf(sha256), { headers, accept: [206] });
    const said = answer.headers.get('Content-Range');
    if (said !== `bytes ${first}-${last}/${size}` || answer.body === null) {
      await answer.body?.cancel();
      throw this.#client.failed(`bytes ${first} to ${last} of ${sha256} were asked for, ${said} came`);
    }
    yield* answer.body;
  }
}

const keyOf = (sha256: string): string => `blobs/sha256/${sha256}`;
