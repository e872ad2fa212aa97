/**
 * Which answers are the server's own. On the way to it there are portals, proxies and firewalls that answer in its
 * place, and with 200 as well: what does not look as the protocol says is `content_wrong`, which is never taken for a
 * word of the server.
 * @module
 */
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { isHtml, readBody, refuseHtml, statusError, type NetworkResponse } from '../../platform/network.ts';

export type Json = Record<string, unknown>;

export const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function wrongAnswer(url: string, what: string, detail: Readonly<Record<string, unknown>> = {}): UpdateError {
  return new UpdateError('content_wrong', `${url}: ${what}`, { detail: { url, ...detail } });
}

/** Answers that take a report: hawkBit's is 200 without a body. */
const TAKEN = [200, 201, 202, 204];

/** The JSON object of a 200. Throws `http_status`, `content_wrong`, `link_failed`. */
export async function objectOf(response: NetworkResponse, url: string): Promise<Json> {
  const value = await bodyOf(response, url, [200]);
  if (value === null) throw wrongAnswer(url, 'an empty answer (a captive portal?)');
  return value;
}

/** The bytes of an age header. Throws `age_refused` where the server itself says no, else as `objectOf`. */
export async function headerOf(response: NetworkResponse, url: string): Promise<Uint8Array> {
  if (response.status === 200 && !isHtml(response)) {
    return readBody(response, LIMITS.age_header_bytes_max, url);
  }
  try {
    await bodyOf(response, url, []);
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    const { httpStatus } = error.detail;
    const isNo = error.code === 'http_status' && [401, 403, 404, 409].includes(Number(httpStatus));
    if (!isNo) throw thrown;
    throw new UpdateError('age_refused', `${url}: HTTP ${String(httpStatus)}`, { detail: error.detail, cause: error });
  }
  throw wrongAnswer(url, 'no age header');
}

/** Throws unless the answer is one that takes what was sent: `http_status`, `content_wrong`, `link_failed`. */
export async function requireTaken(response: NetworkResponse, url: string): Promise<void> {
  await bodyOf(response, url, TAKEN);
}

/** The JSON object, or null for an empty body. */
async function bodyOf(response: NetworkResponse, url: string, good: readonly number[]): Promise<Json | null> {
  const { status } = response;
  if (status < 200 || status >= 300) {
    await response.discard();
    throw refusal(response, url);
  }
  try {
    refuseHtml(response, url);
    if (!good.includes(status)) throw wrongAnswer(url, `HTTP ${status} is no answer of this protocol`, { httpStatus: status }); // prettier-ignore
  } catch (error) {
    await response.discard();
    throw error;
  }
  const text = new TextDecoder().decode(await readBody(response, LIMITS.ddi_answer_bytes_max, url));
  if (text.trim() === '') return null;
  try {
    const value: unknown = JSON.parse(text);
    if (isJson(value)) return value;
  } catch {
    // Said below.
  }
  throw wrongAnswer(url, 'no JSON object (a captive portal?)', { httpStatus: status });
}

/**
 * An error status as the server said it: `http_status`. A 3xx or 4xx with a page for people is somebody else's: the server
 * whose 404 means "no such action" says it in JSON, or without a body.
 */
function refusal(response: NetworkResponse, url: string): UpdateError {
  const error = statusError(response, url);
  if (response.status === 401 && !isHtml(response)) {
    const hint = 'it wants a token, or another one: target_token or gateway_token in [server]';
    return new UpdateError(error.code, `${error.message} (${hint})`, { detail: error.detail });
  }
  if (response.status >= 500 || !isHtml(response)) return error;
  return new UpdateError('content_wrong', `${error.message}, as an HTML page (a captive portal?)`, {
    detail: error.detail,
    cause: error,
  });
}

/** The server does not know what was asked for, in its own words. */
export function isGone(error: unknown): boolean {
  return (
    UpdateError.is(error) && error.code === 'http_status' && [404, 410].includes(Number(error.detail['httpStatus']))
  );
}

/** Of the 4xx those that say "later", and those about the token or the connection of the request and not about its content. */
const NOT_ABOUT_CONTENT = [401, 407, 408, 421, 423, 425, 429];

/** It may be what was sent that is refused, by the server or by a firewall before it. */
export function isAboutContent({ detail }: UpdateError): boolean {
  const status = Number(detail['httpStatus']);
  return status >= 400 && status < 500 && !NOT_ABOUT_CONTENT.includes(status);
}

/** The server itself refuses what was sent: sending it again is of no use. */
export const isRefusal = (error: UpdateError): boolean => error.code === 'http_status' && isAboutContent(error);
