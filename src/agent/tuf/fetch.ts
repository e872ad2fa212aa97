/**
 * Fetching metadata, with a bound on every length before the first byte is kept.
 * @module
 */
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { readBody, refuseHtml, statusError, type Network, type NetworkResponse } from '../../platform/network.ts';
import type { MetaFile } from './metadata.ts';

export interface MetadataSource {
  readonly network: Network;
  /** With or without a slash at its end. */
  readonly metadataUrl: string;
  readonly signal?: AbortSignal;
}

const urlOf = ({ metadataUrl }: MetadataSource, name: string): string =>
  `${metadataUrl}${metadataUrl.endsWith('/') ? '' : '/'}${name}`;

/** No cache on the way may answer for these: they have one name for ever, or are asked for before they exist. */
const FRESH = { 'cache-control': 'no-cache' };

async function request(source: MetadataSource, name: string, isFresh: boolean): Promise<[NetworkResponse, string]> {
  const url = urlOf(source, name);
  const headers = isFresh ? FRESH : undefined;
  return [await source.network.request({ method: 'GET', url, headers, signal: source.signal }), url];
}

async function bodyOf(response: NetworkResponse, url: string, bytesMax: number): Promise<Uint8Array> {
  try {
    if (response.status !== 200) throw statusError(response, url);
    refuseHtml(response, url);
  } catch (error) {
    await response.discard();
    throw error;
  }
  const bytes = await readBody(response, bytesMax, url);
  // A login page that does not say what it is.
  if (!/^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64)))) {
    throw new UpdateError('content_wrong', `${url}: this is no metadata (a captive portal?)`, { detail: { url } });
  }
  return bytes;
}

/** Null when there is none (404, or 403 as some object stores say it): the trusted root is the newest. */
export async function fetchRoot(source: MetadataSource, version: number): Promise<Uint8Array | null> {
  const [response, url] = await request(source, `${version}.root.json`, true);
  if (response.status === 404 || response.status === 403) {
    await response.discard();
    return null;
  }
  return bodyOf(response, url, LIMITS.root_bytes_max);
}

export async function fetchTimestamp(source: MetadataSource): Promise<Uint8Array> {
  const [response, url] = await request(source, 'timestamp.json', true);
  return bodyOf(response, url, LIMITS.timestamp_bytes_max);
}

/** Snapshot or targets, under the name that has the version in it where the repository keeps all of them. */
export async function fetchNamed(
  source: MetadataSource,
  role: string,
  meta: MetaFile,
  consistentSnapshot: boolean,
): Promise<Uint8Array> {
  const name = `${encodeName(role)}.json`;
  const [response, url] = await request(source, consistentSnapshot ? `${meta.version}.${name}` : name, !consistentSnapshot); // prettier-ignore
  return bodyOf(response, url, Math.min(meta.length ?? LIMITS.metadata_bytes_max, LIMITS.metadata_bytes_max));
}

/** A role's name as one part of a path or URL, whatever is in it. */
export const encodeName = (role: string): string =>
  encodeURIComponent(role).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
