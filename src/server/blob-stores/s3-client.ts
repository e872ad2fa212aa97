/**
 * Signed requests to an S3 server, tried again while it is overloaded or away.
 * @module
 */
import { AwsClient } from 'aws4fetch';
import { UpdateError } from '../../../native-free/status.ts';
import { sha256Hex } from '../../platform/hash.ts';
import { after, pause } from '../../platform/timers.ts';

export interface S3Place {
  readonly bucket: string;
  /** Before all keys, with a slash at its end, or empty. */
  readonly prefix: string;
  readonly region: string;
  /** Of another server than Amazon's: buckets are the first part of its paths. */
  readonly endpoint: string | null;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** To the headers of an answer, in milliseconds; default 30 s. */
  readonly patienceMs?: number;
}

export interface S3Question {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** SHA-256 of the body, where it is known. */
  readonly digest?: string;
  /** Statuses that are answers; default 200. */
  readonly accept?: readonly number[];
}

const PATIENCE_MS = 30_000;
/** Half of it by chance, so that not all come back at once. */
const WAITS_MS = [200, 500, 1000, 2000];
/** Of an error's text. */
const TOLD_CHARS = 300;

/**
 * `s3://bucket/prefix?endpoint=…&region=…`, with credentials of the environment AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
 * @throws UpdateError usage_invalid
 */
export function s3Place(text: string, env: Readonly<Record<string, string | undefined>> = process.env): S3Place {
  const bad = (why: string): UpdateError => new UpdateError('usage_invalid', `blobs in '${text}': ${why}`);
  if (!URL.canParse(text)) throw bad('this is no URL such as s3://bucket/prefix?region=eu-central-1');
  const { protocol, hostname: bucket, pathname, searchParams } = new URL(text);
  if (protocol !== 's3:') throw bad('only s3:// is known');
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw bad('the bucket has no valid name');
  const prefix = pathname.replace(/^\/+|\/+$/g, '');
  if (!/^[A-Za-z0-9_./-]*$/.test(prefix)) throw bad('the prefix has other characters than letters, digits and _./-');
  for (const key of searchParams.keys()) {
    if (key !== 'endpoint' && key !== 'region') throw bad(`'${key}' is unknown: there are endpoint and region`);
  }
  const endpoint = searchParams.get('endpoint')?.replace(/\/+$/, '') ?? null;
  if (endpoint !== null && !/^https?:\/\/[^/?#]+$/.test(endpoint))
    throw bad('the endpoint is not http(s)://host[:port]');
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env;
  if (!accessKeyId || !secretAccessKey) throw bad('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set');
  const region = searchParams.get('region') ?? env['AWS_REGION'] ?? 'us-east-1';
  const keys = { accessKeyId, secretAccessKey, ...(token ? { sessionToken: token } : {}) };
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/`, region, endpoint, ...keys };
}

export class S3Client {
  readonly #place: S3Place;
  readonly #signer: AwsClient;

  constructor(place: S3Place) {
    const { accessKeyId, secretAccessKey, sessionToken, region } = place;
    this.#place = place;
    this.#signer = new AwsClient({ accessKeyId, secretAccessKey, sessionToken, region, service: 's3', retries: 0 });
  }

  /**
   * @returns an answer whose status is accepted; its body is still to be read
   * @throws UpdateError store_failed
   */
  async ask(method: string, key: string, question: S3Question = {}): Promise<Response> {
    const { accept = [200] } = question;
    for (const wait of [...WAITS_MS, null]) {
      const answer = await this.#once(method, key, question);
      if (answer instanceof Response && accept.includes(answer.status)) return answer;
      const why = answer instanceof Response ? await saidBy(answer) : reasonOf(answer);
      const passes = !(answer instanceof Response) || answer.status >= 500 || answer.status === 429;
      if (wait === null || !passes) throw this.failed(`${method} ${key}: ${why}`, answer);
      await pause(wait / 2 + (Math.random() * wait) / 2);
    }
    throw new UpdateError('bug', 'attempts have run out');
  }

  /** The address of an object for whoever has it, for so long. */
  async link(key: string, seconds: number): Promise<string> {
    const url = this.#url(key, { 'X-Amz-Expires': String(seconds) });
    return (await this.#signer.sign(url, { method: 'GET', aws: { signQuery: true } })).url;
  }

  failed(why: string, cause?: unknown): UpdateError {
    const { bucket, endpoint } = this.#place;
    const text = `the bucket ${bucket} of ${endpoint ?? 'Amazon S3'}: ${why}`;
    return new UpdateError('store_failed', text, cause instanceof Error ? { cause } : {});
  }

  async #once(method: string, key: string, question: S3Question): Promise<unknown> {
    const { query = {}, headers = {}, body } = question;
    const digest = question.digest ?? sha256Hex(body ?? '');
    const init = { method, headers: { ...headers, 'X-Amz-Content-Sha256': digest } };
    // The library's type of a body knows no view of a shared memory.
    const signed = await this.#signer.sign(this.#url(key, query), { ...init, body: body as BodyInit | undefined });
    const given = new AbortController();
    const timer = after(this.#place.patienceMs ?? PATIENCE_MS, () => given.abort(new Error('no answer in time')));
    try {
      return await fetch(signed, { signal: given.signal, redirect: 'error' });
    } catch (error) {
      return error;
    } finally {
      timer.cancel();
    }
  }

  #url(key: string, query: Readonly<Record<string, string>>): string {
    const { bucket, prefix, region, endpoint } = this.#place;
    const origin = endpoint === null ? `https://${bucket}.s3.${region}.amazonaws.com` : `${endpoint}/${bucket}`;
    const asked = new URLSearchParams(query).toString();
    return `${origin}/${prefix}${key}${asked === '' ? '' : `?${asked}`}`;
  }
}

async function saidBy(answer: Response): Promise<string> {
  const text = await answer.text().catch(() => '');
  const code = /<Code>([^<]+)<\/Code>/.exec(text)?.[1] ?? '';
  const message = /<Message>([^<]+)<\/Message>/.exec(text)?.[1] ?? '';
  return `${answer.status} ${code} ${message}`.trim().slice(0, TOLD_CHARS);
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string } };
  return cause?.message || message || 'no answer';
}
