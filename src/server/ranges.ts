/**
 * Range and conditional requests (RFC 9110, sections 13 and 14), as far as a file that never changes needs them.
 * @module
 */
import { LIMITS } from '../../native-free/limits.ts';

/** Both ends included, as in the protocol. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export type RangeChoice =
  | { readonly kind: 'whole' }
  | { readonly kind: 'unsatisfiable' }
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] };

const WHOLE: RangeChoice = { kind: 'whole' };

/**
 * What a Range header asks of `size` bytes. A header that is malformed, in another unit, or for more ranges or bytes
 * than the whole has, is ignored, as section 14.2 allows; ranges outside are left out, and none left is unsatisfiable.
 */
export function chooseRanges(header: string | undefined, size: number): RangeChoice {
  const match = /^bytes[ \t]*=(.*)$/i.exec(header?.trim() ?? '');
  if (match === null) return WHOLE;
  const parts = match[1]!
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0 || parts.length > LIMITS.http_ranges_max) return WHOLE;
  const ranges: ByteRange[] = [];
  let bytes = 0;
  for (const part of parts) {
    const range = rangeOf(part, size);
    if (range === 'malformed') return WHOLE;
    if (range === 'outside') continue;
    ranges.push(range);
    bytes += range.last - range.first + 1;
  }
  if (ranges.length === 0) return { kind: 'unsatisfiable' };
  return ranges.length > 1 && bytes > size ? WHOLE : { kind: 'ranges', ranges };
}

function rangeOf(part: string, size: number): ByteRange | 'malformed' | 'outside' {
  const match = /^(\d*)-(\d*)$/.exec(part);
  if (match === null || part === '-') return 'malformed';
  const [, from, to] = match as unknown as [string, string, string];
  if (from === '') {
    const suffix = Math.min(Number(to), size);
    return suffix === 0 ? 'outside' : { first: size - suffix, last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? Infinity : Number(to);
  if (last < first) return 'malformed';
  return first >= size ? 'outside' : { first, last: Math.min(last, size - 1) };
}

/** If-None-Match and If-Match: `*` or a list of tags; the weak comparison ignores `W/`. */
export function tagListed(header: string, etag: string, comparison: 'weak' | 'strong'): boolean {
  if (header.trim() === '*') return true;
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (comparison === 'weak' && tag === `W/${etag}`));
}

/** If-Range: the range counts only when the tag is this very one; a date never is, as we give none out. */
export function rangeStillValid(ifRange: string | undefined, etag: string): boolean {
  return ifRange === undefined || ifRange.trim() === etag;
}
