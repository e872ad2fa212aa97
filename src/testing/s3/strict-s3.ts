/**
 * An S3 server for tests that refuses what the real one refuses: requests without a signature or with a wrong one, bodies
 * of another digest than was signed or told, conditions that do not hold, parts that are too small or unknown. It can be
 * told to fail, to be slow and to cut answers. Objects are in memory.
 * @module
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from '../../platform/timers.ts';
import { refusalOf, type S3Credentials } from './signature.ts';

/** What becomes of the next requests that a fault is for, once each for `times`. */
export interface S3Fault {
  readonly times: number;
  readonly matches?: (method: string, target: string) => boolean;
  readonly status?: number;
  readonly delayMs?: number;
  /** The connection ends after so many bytes of the body of the answer. */
  readonly cutAfter?: number;
}

const PART_BYTES_MIN = 5 * 2 ** 20;

const STATUS_OF: Readonly<Record<string, number>> = {
  NoSuchKey: 404,
  NoSuchUpload: 404,
  PreconditionFailed: 412,
  InvalidRange: 416,
  MethodNotAllowed: 405,
  BadDigest: 400,
  XAmzContentSHA256Mismatch: 400,
  EntityTooSmall: 400,
  InvalidPart: 400,
};

class Refusal extends Error {}

interface Question {
  readonly method: string;
  readonly key: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export class StrictS3 {
  readonly credentials: S3Credentials = {
    accessKeyId: 'test-key',
    secretAccessKey: 'test-secret',
    region: 'eu-test-1',
  };
  /** By bucket and key, with a slash between. */
  readonly objects = new Map<string, Buffer>();
  /** `METHOD target` of all requests. */
  readonly requests: string[] = [];
  readonly #uploads = new Map<string, Map<number, Buffer>>();
  readonly #faults: (S3Fault & { left: number })[] = [];
  readonly #server: Server;
  #uploadCount = 0;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** On a free port of the loopback. */
  static async start(): Promise<StrictS3> {
    const made = new StrictS3();
    await new Promise<void>((resolve) => made.#server.listen(0, '127.0.0.1', resolve));
    return made;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  fault(fault: S3Fault): void {
    this.#faults.push({ ...fault, left: fault.times });
  }

  /** Uploads in parts that were neither completed nor given up. */
  get openUploads(): number {
    return this.#uploads.size;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: target = '', headers } = request;
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // the client went away
    }
    this.requests.push(`${method} ${target}`);
    const fault = this.#faults.find(({ left, matches }) => left > 0 && (matches?.(method, target) ?? true));
    if (fault !== undefined) fault.left--;
    if (fault?.delayMs !== undefined) await new Promise<void>((resolve) => void after(fault.delayMs!, resolve));
    try {
      if (fault?.status !== undefined) return refuse(response, fault.status, 'SlowDown');
      const refusal = refusalOf({ method, target, headers }, this.credentials, Date.now());
      if (refusal !== null) return refuse(response, 403, refusal);
      const url = new URL(target, 'http://x');
      const question = { method, url, key: decodeURIComponent(url.pathname.slice(1)), headers };
      this.#answer({ ...question, body: Buffer.concat(chunks) }, response, fault?.cutAfter);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refuse(response, STATUS_OF[error.message] ?? 400, error.message);
    }
  }

  #answer(question: Question, response: ServerResponse, cutAfter: number | undefined): void {
    const { method, url, key } = question;
    checkBody(question);
    const uploadId = url.searchParams.get('uploadId');
    if (method === 'PUT' && uploadId !== null) return this.#putPart(question, uploadId, response);
    if (method === 'PUT') return this.#put(question, response);
    if (method === 'POST' && url.searchParams.has('uploads')) {
      const id = `upload-${++this.#uploadCount}`;
      this.#uploads.set(id, new Map());
      const text = `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`;
      return void response.writeHead(200).end(text);
    }
    if (method === 'POST' && uploadId !== null) return this.#complete(question, uploadId, response);
    if (method === 'DELETE' && uploadId !== null) {
      if (!this.#uploads.delete(uploadId)) throw new Refusal('NoSuchUpload');
      return void response.writeHead(204).end();
    }
    if (method !== 'GET' && method !== 'HEAD') throw new Refusal('MethodNotAllowed');
    const object = this.objects.get(key);
    if (object === undefined) throw new Refusal('NoSuchKey');
    send(question, object, response, cutAfter);
  }

  #put({ key, headers, body }: Question, response: ServerResponse): void {
    const there = this.objects.get(key);
    if (headers['if-none-match'] === '*' && there !== undefined) throw new Refusal('PreconditionFailed');
    const ifMatch = headers['if-match'];
    if (ifMatch !== undefined && (there === undefined || ifMatch !== tagOf(there))) {
      throw new Refusal(there === undefined ? 'NoSuchKey' : 'PreconditionFailed');
    }
    this.objects.set(key, body);
    response.writeHead(200, { ETag: tagOf(body) }).end();
  }

  #putPart({ url, body }: Question, uploadId: string, response: ServerResponse): void {
    const parts = this.#uploads.get(uploadId);
    if (parts === undefined) throw new Refusal('NoSuchUpload');
    parts.set(Number(url.searchParams.get('partNumber')), body);
    response.writeHead(200, { ETag: tagOf(body) }).end();
  }

  #complete({ key, body }: Question, uploadId: string, response: ServerResponse): void {
    const parts = this.#uploads.get(uploadId);
    if (parts === undefined) throw new Refusal('NoSuchUpload');
    const text = body.toString().replaceAll('&quot;', '"');
    const listed = [...text.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]+)<\/ETag>/g)];
    const whole = listed.map(([, number, tag], i) => {
      const part = parts.get(Number(number));
      if (part === undefined || tagOf(part) !== tag || Number(number) !== i + 1) throw new Refusal('InvalidPart');
      if (i < listed.length - 1 && part.length < PART_BYTES_MIN) throw new Refusal('EntityTooSmall');
      return part;
    });
    if (whole.length === 0) throw new Refusal('InvalidPart');
    this.objects.set(key, Buffer.concat(whole));
    this.#uploads.delete(uploadId);
    response.writeHead(200).end('<CompleteMultipartUploadResult></CompleteMultipartUploadResult>');
  }
}

/** A body must be the one that was signed; one that nobody signed is refused. */
function checkBody({ method, headers, body }: Question): void {
  if (method !== 'PUT' && method !== 'POST') return;
  const digest = createHash('sha256').update(body);
  const told = headers['x-amz-checksum-sha256'];
  if (told !== undefined && told !== digest.copy().digest('base64')) throw new Refusal('BadDigest');
  if (headers['x-amz-content-sha256'] !== digest.digest('hex')) throw new Refusal('XAmzContentSHA256Mismatch');
}

/** One range at most, as S3 does: a request for several gets all. */
function send({ method, headers }: Question, object: Buffer, response: ServerResponse, cutAfter?: number): void {
  const etag = tagOf(object);
  if (headers['if-match'] !== undefined && headers['if-match'] !== etag) throw new Refusal('PreconditionFailed');
  const common = { ETag: etag, 'Accept-Ranges': 'bytes' };
  if (headers['if-none-match'] === etag) return void response.writeHead(304, common).end();
  const match = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '');
  let [first, last] = [0, object.length - 1];
  if (match !== null && match[0] !== 'bytes=-') {
    first = match[1] === '' ? Math.max(0, object.length - Number(match[2])) : Number(match[1]);
    if (match[1] !== '' && match[2] !== '') last = Math.min(last, Number(match[2]));
    if (first >= object.length || last < first) throw new Refusal('InvalidRange');
  }
  const body = object.subarray(first, last + 1);
  const range = match === null ? {} : { 'Content-Range': `bytes ${first}-${last}/${object.length}` };
  response.writeHead(match === null ? 200 : 206, { ...common, ...range, 'Content-Length': body.length });
  if (method === 'HEAD') return void response.end();
  if (cutAfter === undefined) return void response.end(body);
  response.write(body.subarray(0, cutAfter), () => void after(20, () => response.destroy()));
}

/** As S3 has it, of objects that were put whole. */
const tagOf = (object: Buffer): string => `"${createHash('md5').update(object).digest('hex')}"`;

function refuse(response: ServerResponse, status: number, code: string): void {
  const text = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(status, { 'Content-Type': 'application/xml' }).end(response.req.method === 'HEAD' ? '' : text);
}
