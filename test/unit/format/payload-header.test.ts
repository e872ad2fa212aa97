import { describe, expect, it } from 'vitest';
import {
  encodeHeader,
  headerLength,
  parseHeader,
  segmentBodyOffset,
} from '../../../native-free/format/payload-header.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { deltaPayload, editedPair, fullPayload, imageBytes } from '../../support/images.ts';

const SEGMENT = LIMITS.segment_bytes_min;
const delta = deltaPayload(editedPair(40, 8192, 1), SEGMENT);
const headerOf = (payload: Uint8Array): Uint8Array => payload.slice(0, headerLength(payload));

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (UpdateError.is(error)) return error.code;
    throw error;
  }
  return 'none';
}

describe('payload header', () => {
  it('is read back field by field', () => {
    const header = parseHeader(delta);
    expect(header.kind).toBe('delta');
    expect(header.payloadBytes).toBe(delta.length);
    expect(header.segments.length).toBe(Math.ceil(header.targetBytes / SEGMENT));
    expect(segmentBodyOffset(header, header.segments.length)).toBe(header.bodyBytes);
    expect(encodeHeader(header)).toEqual(headerOf(delta));
  });

  it('describes an empty target', () => {
    const header = parseHeader(fullPayload(new Uint8Array(0), SEGMENT));
    expect(header).toMatchObject({ targetBytes: 0, bodyBytes: 0, segments: [], chunkDigests: [] });
  });

  it('costs at most 0.1 % of a stored full payload and about 64 bytes per 4 MiB', () => {
    const payload = fullPayload(imageBytes(8 * 2 ** 20, 3), 4 * 2 ** 20);
    expect(parseHeader(payload).headerBytes / payload.length).toBeLessThan(0.001);
  });

  it('is refused when cut at any byte', () => {
    const header = headerOf(delta);
    for (let length = 0; length < header.length; length++) {
      expect(codeOf(() => parseHeader(header.subarray(0, length)))).toBe('payload_truncated');
    }
  });

  it('is either refused or says something else when any bit is flipped', () => {
    const header = headerOf(delta);
    const original = JSON.stringify(parseHeader(header));
    for (let bit = 0; bit < header.length * 8; bit++) {
      const damaged = header.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const outcome = codeOf(() => expect(JSON.stringify(parseHeader(damaged))).not.toBe(original));
      expect(['none', 'payload_magic', 'payload_version', 'payload_truncated', 'payload_malformed']).toContain(outcome);
    }
  });

  it('does not take memory on the word of a length', () => {
    const lying = headerOf(fullPayload(imageBytes(100_000, 5), SEGMENT));
    // Byte 16 on: decoder memory, then target size. Claim the largest image with no bytes to back it.
    const claims = [...varint(1024), ...varint(LIMITS.image_bytes_max)];
    lying.set(claims, 16);
    expect(codeOf(() => parseHeader(lying))).toBe('payload_malformed');
    const long = headerOf(delta);
    new DataView(long.buffer).setUint32(12, 0xffffffff, true);
    expect(codeOf(() => headerLength(long))).toBe('payload_malformed');
  });

  it('names another version instead of guessing', () => {
    const future = headerOf(delta);
    future[8] = 6;
    expect(codeOf(() => parseHeader(future))).toBe('payload_version');
  });
});

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}
