/**
 * `GET|HEAD /blobs/sha256/<hex>`: immutable files with everything that resuming, caches and CDNs ask for.
 *
 * Bodies are read as fast as the client takes them, one piece at a time. The boundary of multipart answers is
 * lower-case: some clients compare it after lowering the header.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Context } from 'hono';
import { UpdateError } from '../../native-free/status.ts';
import type { BlobStore, StoredBlob } from './blob-stores/blob-store.ts';
import type { Pace } from './pace.ts';
import { chooseRanges, rangeStillValid, tagListed, type ByteRange } from './ranges.ts';

const PIECE_BYTES = 64 * 1024;
const TYPE = 'application/octet-stream';

export interface BlobOptions {
  readonly blobs: BlobStore;
  /** Whoever asks for one range, or all, is sent to the store itself where it can be asked. */
  readonly redirect?: boolean;
  readonly pace?: Pace;
  /** Told of every body piece, when it is handed to the connection. */
  readonly onSent?: (bytes: number) => void;
}

/** A body is text of ours and ranges of the file. */
type Section = Uint8Array | ByteRange;

/** The handler. Throws UpdateError entity_unknown when there is no such blob. */
export function blobHandler(options: BlobOptions): (context: Context) => Promise<Response> {
  return async (context) => {
    const sha256 = context.req.param('sha256') ?? '';
    const blob = /^[0-9a-f]{64}$/.test(sha256) ? await options.blobs.open(sha256) : null;
    if (blob === null) throw new UpdateError('entity_unknown', `there is no blob ${sha256.slice(0, 64)}`);
    let keep = false;
    try {
      const answer = decide(context, sha256, blob.size);
      const { status, headers, sections } = answer;
      if (context.req.method === 'HEAD' || sections.length === 0) return new Response(null, { status, headers });
      // A store answers no request for several ranges; those are put together here.
      const link = options.redirect === true && sections.length === 1 ? await options.blobs.link(sha256) : null;
      if (link !== null) return context.body(null, 307, { Location: link, 'Cache-Control': 'no-store' });
      keep = true;
      return new Response(streamOf(blob, sections, options), { status, headers });
    } finally {
      if (!keep) await blob.close();
    }
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly sections: readonly Section[];
}

/** Preconditions first, then If-Range, then Range (RFC 9110, section 13.2.2). */
function decide(context: Context, sha256: string, size: number): Answer {
  const etag = `"${sha256}"`;
  const header = (name: string): string | undefined => context.req.header(name);
  const common = { ETag: etag, 'Accept-Ranges': 'bytes', 'Cache-Control': 'public, max-age=31536000, immutable' };
  const ifMatch = header('If-Match');
  if (ifMatch !== undefined && !tagListed(ifMatch, etag, 'strong'))
    return { status: 412, headers: common, sections: [] };
  const ifNoneMatch = header('If-None-Match');
  if (ifNoneMatch !== undefined && tagListed(ifNoneMatch, etag, 'weak')) {
    return { status: 304, headers: common, sections: [] };
  }
  const choice = rangeStillValid(header('If-Range'), etag) ? chooseRanges(header('Range'), size) : WHOLE;
  if (choice.kind === 'unsatisfiable') {
    const headers = { ...common, 'Content-Range': `bytes */${size}`, 'Content-Length': '0' };
    return { status: 416, headers: { ...headers, 'Cache-Control': 'no-store' }, sections: [] };
  }
  if (choice.kind === 'whole') {
    const sections = size === 0 ? [] : [{ first: 0, last: size - 1 }];
    return { status: 200, headers: { ...common, 'Content-Type': TYPE, 'Content-Length': String(size) }, sections };
  }
  return choice.ranges.length === 1 ? single(choice.ranges[0]!, size, common) : multipart(choice.ranges, size, common);
}

const WHOLE = { kind: 'whole' } as const;

function single(range: ByteRange, size: number, common: Record<string, string>): Answer {
  const headers = {
    ...common,
    'Content-Type': TYPE,
    'Content-Range': `bytes ${range.first}-${range.last}/${size}`,
    'Content-Length': String(lengthOf(range)),
  };
  return { status: 206, headers, sections: [range] };
}

function multipart(ranges: readonly ByteRange[], size: number, common: Record<string, string>): Answer {
  const boundary = `engraft-${randomBytes(12).toString('hex')}`;
  const sections: Section[] = [];
  for (const range of ranges) {
    const contentRange = `Content-Range: bytes ${range.first}-${range.last}/${size}`;
    sections.push(Buffer.from(`\r\n--${boundary}\r\nContent-Type: ${TYPE}\r\n${contentRange}\r\n\r\n`), range);
  }
  sections.push(Buffer.from(`\r\n--${boundary}--\r\n`));
  const headers = {
    ...common,
    'Content-Type': `multipart/byteranges; boundary=${boundary}`,
    'Content-Length': String(sections.reduce((sum, section) => sum + lengthOf(section), 0)),
  };
  return { status: 206, headers, sections };
}

function lengthOf(section: Section): number {
  return section instanceof Uint8Array ? section.length : section.last - section.first + 1;
}

async function* piecesOf(
  blob: StoredBlob,
  sections: readonly Section[],
  pieceBytes: number,
): AsyncGenerator<Uint8Array> {
  for (const section of sections) {
    if (section instanceof Uint8Array) yield section;
    else yield* blob.read(section, pieceBytes);
  }
}

/** Pulled piece by piece; closes the blob at the end, on an error, and when the client goes away. */
function streamOf(blob: StoredBlob, sections: readonly Section[], options: BlobOptions): ReadableStream<Uint8Array> {
  const { pace, onSent } = options;
  const pieces = piecesOf(blob, sections, pace?.pieceBytes ?? PIECE_BYTES);
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    await blob.close();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = await pieces.next();
          if (next.done === true) {
            await close();
            controller.close();
            return;
          }
          await pace?.take(next.value.length);
          if (!open) return; // cancelled while waiting
          onSent?.(next.value.length);
          controller.enqueue(next.value);
        } catch (error) {
          await close();
          controller.error(error);
        }
      },
      async cancel() {
        await pieces.return(undefined);
        await close();
      },
    },
    { highWaterMark: 0 },
  );
}
