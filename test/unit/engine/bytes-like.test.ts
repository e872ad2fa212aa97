/**
 * What callers of the library hand in for bytes: every view of memory, or a refusal that names the argument.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  applyPayload,
  bytesEqual,
  bytesSource,
  digestOf,
  headerLength,
  memorySink,
  memorySource,
  parseHeader,
  sha256Pure,
  toHex,
  UpdateError,
} from '../../../native-free/index.ts';
import { DeltaEngine, replaceFile } from '../../../src/index.ts';
import { deltaPayload, editedPair } from '../../support/images.ts';

const pair = editedPair(18, 8192, 11);
const payload = deltaPayload(pair, 2 ** 16);

function shared(bytes: Uint8Array): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(bytes.length);
  new Uint8Array(memory).set(bytes);
  return memory;
}

const FORMS: Readonly<Record<string, (bytes: Uint8Array) => ArrayBufferView | ArrayBuffer | SharedArrayBuffer>> = {
  Buffer: (bytes) => Buffer.from(bytes),
  ArrayBuffer: (bytes) => bytes.slice().buffer,
  SharedArrayBuffer: shared,
  'a view of shared memory': (bytes) => new Uint8Array(shared(bytes)),
  DataView: (bytes) => new DataView(bytes.slice().buffer),
  'an Int8Array in the middle of its memory': (bytes) => {
    const memory = new Uint8Array(bytes.length + 9);
    memory.set(bytes, 5);
    return new Int8Array(memory.buffer, 5, bytes.length);
  },
};

const NOT_BYTES: readonly unknown[] = [undefined, null, 'text', 7, [1, 2, 3], {}];
const engine = new DeltaEngine({ workers: 1 });
afterAll(() => engine.close());

/** The error of a call that may throw or reject. */
async function refusal(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return null;
  } catch (error) {
    return error;
  }
}

describe('bytes', () => {
  it.each(Object.entries(FORMS))('as %s are taken for payload, source, target and digest', async (_, form) => {
    const target = form(new Uint8Array(pair.target.length));
    const expectedHeaderDigest = form(digestOf(sha256Pure, payload.subarray(0, parseHeader(payload).headerBytes)));
    const options = {
      payload: bytesSource(form(payload)),
      source: memorySource(form(pair.source)),
      sink: memorySink(target),
    };
    for await (const event of applyPayload({ ...options, expectedHeaderDigest })) void event;
    const made = ArrayBuffer.isView(target)
      ? new Uint8Array(target.buffer, target.byteOffset, target.byteLength)
      : new Uint8Array(target);
    expect(bytesEqual(made, form(pair.target))).toBe(true);
    expect(parseHeader(form(payload)).targetBytes).toBe(pair.target.length);
    expect(toHex(form(Uint8Array.of(0, 171)))).toBe('00ab');
  });

  it('as any of these make the same delta', async () => {
    const { payload: wanted } = await engine.delta(pair.source, pair.target);
    for (const form of [FORMS['ArrayBuffer']!, FORMS['SharedArrayBuffer']!, FORMS['DataView']!]) {
      const made = await engine.delta(form(pair.source), form(pair.target));
      expect(Buffer.compare(made.payload, wanted)).toBe(0);
    }
  });

  it.each(NOT_BYTES)('that are none (%j) are refused by name, never as a bug', async (value) => {
    const wrong = value as Uint8Array;
    const calls: readonly (readonly [string, () => unknown])[] = [
      ['source', () => engine.delta(wrong, pair.target)],
      ['target', () => engine.delta(pair.source, wrong)],
      ['target', () => engine.full(wrong)],
      ['target', () => engine.make(null, wrong)],
      ['payload', () => bytesSource(wrong)],
      ['source', () => memorySource(wrong)],
      ['target', () => memorySink(wrong)],
      ['payload', () => parseHeader(wrong)],
      ['header', () => headerLength(wrong)],
      ['bytes', () => digestOf(sha256Pure, wrong)],
      ['bytes', () => toHex(wrong)],
      ['the second', () => bytesEqual(payload, wrong)],
      ['content', () => replaceFile(join(tmpdir(), 'engraft-never-written'), wrong)],
    ];
    for (const [name, call] of calls) {
      const error = await refusal(call);
      expect(UpdateError.is(error) && error.code, name).toBe('usage_invalid');
      expect((error as Error).message.startsWith(`${name} is `)).toBe(true);
    }
  });

  it('are asked for where options are missing', async () => {
    for (const options of [undefined, null, {}, { payload: bytesSource(payload) }]) {
      const error = await refusal(() => applyPayload(options as never).next());
      expect(UpdateError.is(error) && error.code).toBe('usage_invalid');
    }
    expect(await refusal(() => engine.full(pair.target, null as never))).toMatchObject({ code: 'usage_invalid' });
  });
});
