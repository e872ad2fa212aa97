/**
 * Checks signatures of AWS version 4, in a header or in a query, by making them again.
 * @module
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface SignedRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

/** How far a client's clock may be off. */
const SKEW_MS = 15 * 60_000;

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** The code of the refusal, null for a request that is rightly signed. */
export function refusalOf(request: SignedRequest, credentials: S3Credentials, nowMs: number): string | null {
  const url = new URL(request.target, 'http://x');
  const inQuery = url.searchParams.has('X-Amz-Signature');
  const given = inQuery ? fromQuery(url) : fromHeaders(request.headers);
  if (given === null) return 'AccessDenied';
  const [accessKeyId, day = '', region = '', service = '', end = ''] = given.credential.split('/');
  if (accessKeyId !== credentials.accessKeyId) return 'InvalidAccessKeyId';
  const isScope = region === credentials.region && service === 's3' && end === 'aws4_request';
  if (!isScope || !given.date.startsWith(day)) return 'AuthorizationHeaderMalformed';
  const at = Date.parse(given.date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  const ageMs = nowMs - at;
  if (Number.isNaN(at) || ageMs < -SKEW_MS) return 'RequestTimeTooSkewed';
  if (ageMs > (inQuery ? given.expiresMs : SKEW_MS)) return inQuery ? 'AccessDenied' : 'RequestTimeTooSkewed';
  if (!given.signed.includes('host')) return 'AccessDenied';
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = `AWS4-HMAC-SHA256\n${given.date}\n${scope}\n${sha256(canonical(request, url, given))}`;
  const dated = hmac(hmac(`AWS4${credentials.secretAccessKey}`, day), region);
  const wanted = hmac(hmac(hmac(dated, 's3'), 'aws4_request'), text);
  const found = Buffer.from(given.signature, 'hex');
  return found.length === wanted.length && timingSafeEqual(found, wanted) ? null : 'SignatureDoesNotMatch';
}

interface Given {
  readonly credential: string;
  readonly date: string;
  readonly signed: readonly string[];
  readonly signature: string;
  readonly payload: string;
  readonly expiresMs: number;
}

function fromHeaders(headers: IncomingHttpHeaders): Given | null {
  const text = headers.authorization ?? '';
  const parts = /^AWS4-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]+)$/.exec(
    text,
  );
  const date = headers['x-amz-date'];
  const payload = headers['x-amz-content-sha256'];
  if (parts === null || typeof date !== 'string' || typeof payload !== 'string') return null;
  const [, credential, signed, signature] = parts as unknown as [string, string, string, string];
  return { credential, date, signed: signed.split(';'), signature, payload, expiresMs: 0 };
}

function fromQuery({ searchParams }: URL): Given {
  const of = (name: string): string => searchParams.get(`X-Amz-${name}`) ?? '';
  const known = { credential: of('Credential'), date: of('Date'), signature: of('Signature') };
  const signed = of('SignedHeaders').split(';');
  return { ...known, signed, payload: 'UNSIGNED-PAYLOAD', expiresMs: Number(of('Expires')) * 1000 };
}

function canonical({ method, headers }: SignedRequest, url: URL, given: Given): string {
  const query = [...url.searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([a, x], [b, y]) => (a < b || (a === b && x < y) ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const lines = given.signed.map(
    (name) =>
      `${name}:${String(headers[name] ?? '')
        .trim()
        .replace(/\s+/g, ' ')}\n`,
  );
  const path = url.pathname
    .split('/')
    .map((part) => encoded(decodeURIComponent(part)))
    .join('/');
  return [method, path, query, lines.join(''), given.signed.join(';'), given.payload].join('\n');
}
