import { FOLLOW_BYTES_MAX, piecesOf } from '../../../native-free/format/pieces.ts';
import { Zstd } from '@hpcc-js/wasm-zstd';
import { beforeAll, describe, expect, it } from 'vitest';
import { applyPayload, type ApplyEvent, type ApplyOptions } from '../../../native-free/apply/patcher.ts';
import { bytesSource, memorySink, memorySource } from '../../../native-free/apply/bytes-source.ts';
import { SOURCE_FAULTS } from '../../../native-free/apply/source-faults.ts';
import { parseHeader, segmentBodyOffset } from '../../../native-free/format/payload-header.ts';
import type { ByteSource, RandomSource } from '../../../native-free/io.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { deltaPayload, editedPair, fullPayload, imageBytes, random, sha256, sha256Node } from '../../support/images.ts';

const SEGMENT = LIMITS.segment_bytes_min;
const pair = editedPair(18, 8192, 11);
const delta = deltaPayload(pair, SEGMENT);
const header = parseHeader(delta);
let full: Uint8Array;

beforeAll(async () => {
  const zstd = await Zstd.load();
  full = fullPayload(pair.target, SEGMENT, (bytes) => zstd.compress(bytes, 19));
});

interface Outcome {
  readonly target: Uint8Array;
  readonly events: ApplyEvent[];
  readonly error: UpdateError | null;
}

/** Applies and reports what reached the sink; anything thrown but an UpdateError fails the test. */
async function apply(payload: Uint8Array | ByteSource, options: Partial<ApplyOptions> = {}): Promise<Outcome> {
  const target = new Uint8Array(pair.target.length);
  const events: ApplyEvent[] = [];
  try {
    const run = applyPayload({
      payload: payload instanceof Uint8Array ? bytesSource(payload) : payload,
      source: memorySource(pair.source),
      sink: memorySink(target),
      hash: sha256Node,
      ...options,
    });
    for await (const event of run) events.push(event);
  } catch (error) {
    if (!UpdateError.is(error)) throw error;
    return { target, events, error };
  }
  return { target, events, error: null };
}

/** A deep equality on large typed arrays takes most of a second; this takes none. */
function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.compare(actual, expected)).toBe(0);
}

/** Every segment is either untouched or right: nothing unverified was written. */
function expectOnlyVerified(target: Uint8Array): void {
  for (let at = 0; at < target.length; at += SEGMENT) {
    const written = target.subarray(at, at + SEGMENT);
    if (written.some((byte) => byte !== 0)) expectSame(written, pair.target.subarray(at, at + SEGMENT));
  }
}

describe('apply', () => {
  it('makes the target from source and delta, and from a full payload alone', async () => {
    expect(delta.length).toBeLessThan(full.length);
    expect(full.length).toBeLessThan(pair.target.length);
    for (const payload of [delta, full]) {
      const { target, error } = await apply(payload);
      expect(error).toBeNull();
      expectSame(target, pair.target);
    }
  });

  it('gives the same target when fed byte by byte', async () => {
    for (const payload of [delta, full]) {
      const { target } = await apply(bytesSource(payload, 1), { hash: undefined });
      expectSame(target, pair.target);
    }
  });

  it('applies to and from empty images', async () => {
    const empty = new Uint8Array(0);
    const none = { source: empty, target: empty, covers: { ...pair.covers, count: 0 } };
    expect((await apply(deltaPayload(none, SEGMENT), { source: memorySource(empty) })).error).toBeNull();
    const fromNothing = { source: empty, target: pair.target, covers: { ...pair.covers, count: 0 } };
    const { target, error } = await apply(deltaPayload(fromNothing, SEGMENT), { source: memorySource(empty) });
    expect(error).toBeNull();
    expectSame(target, pair.target);
  });

  it('refuses a payload cut at any byte, and writes only verified segments', async () => {
    for (const payload of [delta, full]) {
      const step = payload === full ? 301 : 1;
      for (let length = 0; length < payload.length; length += step) {
        const { target, error } = await apply(payload.subarray(0, length));
        expect(error?.code).toBe('payload_truncated');
        expectOnlyVerified(target);
      }
    }
  });

  it('refuses a payload with any flipped byte when the header digest is known', async () => {
    const digest = sha256(delta.subarray(0, header.headerBytes));
    for (let at = 0; at < delta.length; at += at < header.headerBytes ? 1 : 7) {
      const damaged = delta.slice();
      damaged[at]! ^= 1 << (at % 8);
      const { target, error } = await apply(damaged, { expectedHeaderDigest: digest });
      const codes = [
        'payload_magic',
        'payload_version',
        'payload_malformed',
        'payload_truncated',
        'header_digest',
        'chunk_digest',
      ];
      expect(codes).toContain(error?.code);
      expectOnlyVerified(target);
    }
  });

  it('ends in an error or the right target when a forged header vouches for forged chunks', async () => {
    // The attacker repairs the chunk digest: only the segment digests stand between the decoder and the slot.
    for (let at = header.headerBytes; at < delta.length; at += 3) {
      const forged = delta.slice();
      forged[at]! ^= 0x10;
      const chunk = Math.floor((at - header.headerBytes) / LIMITS.chunk_bytes);
      const start = header.headerBytes + chunk * LIMITS.chunk_bytes;
      const digest = sha256(forged.subarray(start, start + LIMITS.chunk_bytes));
      forged.set(digest, header.headerBytes - 32 * (header.chunkDigests.length - chunk));
      const { target, error } = await apply(forged);
      if (error === null) expectSame(target, pair.target);
      else expect(['segment_digest', 'plan_malformed']).toContain(error.code);
      expectOnlyVerified(target);
    }
  });

  it('notices a wrong source at its first bad segment', async () => {
    const wrong = pair.source.slice();
    wrong.fill(0, 100_000, 100_500);
    const { error, target } = await apply(delta, { source: memorySource(wrong) });
    expect(error?.code).toBe('segment_digest');
    expectOnlyVerified(target);
    const short = await apply(delta, { source: memorySource(pair.source.subarray(1)) });
    expect(short.error?.code).toBe('source_digest');
    expect((await apply(delta, { source: undefined })).error?.code).toBe('usage_invalid');
  });

  it('resumes at every segment and then reads no chunk of the ones before', async () => {
    for (const payload of [delta, full]) {
      const { headerBytes, planBytes, segments } = parseHeader(payload);
      for (let first = 0; first <= segments.length; first++) {
        const target = pair.target.slice();
        target.fill(0, first * SEGMENT);
        const counted = countingSource(payload);
        const { error } = await apply(counted.source, { resumeSegment: first, sink: memorySink(target) });
        expect(error).toBeNull();
        expectSame(target, pair.target);
        const bodyStart = segmentBodyOffset(parseHeader(payload), first);
        const resumedAt = headerBytes + Math.floor(bodyStart / LIMITS.chunk_bytes) * LIMITS.chunk_bytes;
        const planEnd = headerBytes + Math.ceil(planBytes / LIMITS.chunk_bytes) * LIMITS.chunk_bytes;
        for (const offset of counted.offsets) expect(offset < planEnd || offset >= resumedAt).toBe(true);
      }
    }
  });

  it('reads each source byte as often as covers name it, and a little behind a cover for the literals there', async () => {
    const named = new Uint8Array(pair.source.length);
    for (let start = 0; start < pair.target.length; start += header.segmentBytes) {
      for (const piece of piecesOf(pair.covers, start, Math.min(pair.target.length, start + header.segmentBytes))) {
        const isLiteral = piece.sourceOffset < 0;
        const from = isLiteral ? piece.follow : piece.sourceOffset;
        const count = isLiteral ? Math.min(piece.length, FOLLOW_BYTES_MAX) : piece.length;
        for (let j = from; j < Math.min(from + count, named.length); j++) named[j]! += 1;
      }
    }
    const read = new Uint8Array(pair.source.length);
    const inner = memorySource(pair.source);
    const source: RandomSource = {
      size: inner.size,
      read(offset, into) {
        for (let j = 0; j < into.length; j++) read[offset + j]! += 1;
        return inner.read(offset, into);
      },
    };
    expect((await apply(delta, { source })).error).toBeNull();
    expectSame(read, named);
  });

  it('stops when cancelled and when the device allows too little memory', async () => {
    const signal = { aborted: true };
    expect((await apply(delta, { signal })).error?.code).toBe('aborted');
    const refused = await apply(delta, { memoryBytesMax: header.decoderMemoryBytes - 1 });
    expect(refused.error?.code).toBe('decoder_memory');
    expect(refused.events).toEqual([]);
  });

  it('refuses a zstd segment that is damaged, or of another length than its frame says', async () => {
    const zstd = await Zstd.load();
    const shorter = fullPayload(pair.target, SEGMENT, (bytes) => zstd.compress(bytes.subarray(1), 3));
    expect((await apply(shorter)).error?.code).toBe('segment_malformed');
    const { headerBytes } = parseHeader(full);
    const noFrame = fullPayload(pair.target, SEGMENT, () => imageBytes(64, 9));
    expect((await apply(noFrame)).error?.code).toBe('segment_malformed');
    expect(headerBytes).toBeGreaterThan(0);
  });

  it('says of every wrong source what a full payload helps against, and of a wrong full payload what none does', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const next = random(seed);
      const source = pair.source.slice();
      for (let i = 0; i <= seed; i++) source[Math.floor(next() * source.length)]! ^= 1 + Math.floor(next() * 255);
      const { error } = await apply(delta, { source: memorySource(source) });
      if (error !== null) expect(SOURCE_FAULTS).toContain(error.code);
    }
    const short = await apply(delta, { source: memorySource(pair.source.subarray(1)) });
    expect(SOURCE_FAULTS).toContain(short.error?.code);
    const noFrame = fullPayload(pair.target, SEGMENT, () => imageBytes(64, 9));
    expect(SOURCE_FAULTS).not.toContain((await apply(noFrame)).error?.code);
  });

  it('passes on what a failing sink or source throws and stands still', async () => {
    const disk = new UpdateError('disk_full', 'no space left');
    const sink = {
      write: async () => {
        throw disk;
      },
    };
    expect((await apply(delta, { sink })).error).toBe(disk);
    const read = async () => {
      throw new UpdateError('slot_unreadable', 'I/O error');
    };
    expect((await apply(delta, { source: { size: pair.source.length, read } })).error?.code).toBe('slot_unreadable');
  });
});

/** A payload that records which offsets were handed out. */
function countingSource(payload: Uint8Array): { source: ByteSource; offsets: Set<number> } {
  const offsets = new Set<number>();
  let at = 0;
  const source: ByteSource = {
    async read() {
      if (at >= payload.length) return null;
      offsets.add(at);
      at += 1;
      return payload.subarray(at - 1, at);
    },
    async skipTo(offset) {
      at = offset;
    },
  };
  return { source, offsets };
}
