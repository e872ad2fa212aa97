/**
 * The age format, both ways: ours against the reference library, which is only here to compare with.
 */
import { Decrypter, Encrypter, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { chachaPure, type Aead } from '../../../native-free/age/aead.ts';
import { makeHeader, openHeader, payloadKey } from '../../../native-free/age/header.ts';
import { identityText, parseIdentity, parseRecipient, recipientOf } from '../../../native-free/age/keys.ts';
import { bodyBytes, sealChunks, sealedRange, StreamOpener } from '../../../native-free/age/stream.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { chachaNode } from '../../../src/platform/aead.ts';
import { imageBytes } from '../../support/images.ts';

const fixed = (seed: number, bytes = 32): Uint8Array => imageBytes(bytes, seed);
const SECRET = fixed(1);
const FILE_KEY = fixed(2, 16);
const NONCE = fixed(3, 16);
const CHUNK = LIMITS.age_chunk_bytes;
const SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 200_000];

const joined = (parts: Iterable<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat([...parts]));

function bodyOf(plain: Uint8Array, aead?: Aead): Uint8Array {
  return joined([NONCE, ...sealChunks(plain, payloadKey(FILE_KEY, NONCE), aead)]);
}

function open(body: Uint8Array, plainBytes: number, piece = body.length, aead?: Aead): Uint8Array {
  const opener = new StreamOpener({ key: payloadKey(FILE_KEY, body.subarray(0, 16)), plainBytes, aead });
  const plain: Uint8Array[] = [];
  for (let at = 16; at < body.length; at += piece) {
    for (const part of opener.push(body.subarray(at, at + piece))) plain.push(part.slice());
  }
  opener.end();
  return joined(plain);
}

describe('header', () => {
  it('is 168 bytes, and gives the file key to the device it was made for', () => {
    const header = makeHeader(FILE_KEY, recipientOf(SECRET), fixed(4));
    expect(header.length).toBe(168);
    expect(openHeader(header, SECRET)).toEqual(FILE_KEY);
  });

  it('is age_key for another device', () => {
    const header = makeHeader(FILE_KEY, recipientOf(SECRET), fixed(4));
    expect(() => openHeader(header, fixed(9))).toThrow(expect.objectContaining({ code: 'age_key' }));
  });

  it('is refused with any bit turned, with a byte less and with a byte more', () => {
    const header = makeHeader(FILE_KEY, recipientOf(SECRET), fixed(4));
    const refusal = expect.objectContaining({ code: expect.stringMatching(/^age_(key|malformed)$/) as string });
    for (let at = 0; at < header.length; at++) {
      const bad = header.slice();
      bad[at]! ^= 1 << (at % 7);
      expect(() => openHeader(bad, SECRET), `byte ${at}`).toThrow(refusal);
      expect(() => openHeader(header.subarray(0, at), SECRET), `${at} bytes`).toThrow(refusal);
    }
    expect(() => openHeader(joined([header, fixed(1, 1)]), SECRET)).toThrow(refusal);
    expect(() => openHeader(joined([header, fixed(1, 100)]), SECRET)).toThrow(/over 256/);
  });

  it('refuses recipients of small order', () => {
    const header = makeHeader(FILE_KEY, recipientOf(SECRET), fixed(4));
    const zero = Buffer.alloc(32).toString('base64').slice(0, 43);
    const bad = Buffer.from(
      Buffer.from(header)
        .toString()
        .replace(/X25519 .{43}/, `X25519 ${zero}`),
    );
    expect(() => openHeader(bad, SECRET)).toThrow(/small order/);
  });
});

describe('keys', () => {
  it('are written and read as age does', async () => {
    const identity = identityText(SECRET);
    expect(await identityToRecipient(identity)).toBe(recipientOf(SECRET));
    expect(parseIdentity(identity)).toEqual(SECRET);
    expect(parseRecipient(recipientOf(SECRET)).length).toBe(32);
  });

  it('are refused when a letter is wrong, without being repeated', () => {
    const identity = identityText(SECRET);
    for (const bad of ['', 'age1', recipientOf(SECRET).slice(0, -1), recipientOf(SECRET).toUpperCase(), identity]) {
      expect(() => parseRecipient(bad)).toThrow(/no age X25519 recipient/);
    }
    const wrong = `${identity.slice(0, -1)}${identity.endsWith('Q') ? 'P' : 'Q'}`;
    expect(() => parseIdentity(wrong)).toThrow(/^this is no age X25519 identity \(AGE-SECRET-KEY-1...\)$/);
  });
});

describe('body', () => {
  it.each(SIZES)('of %i bytes comes back, and has the length that is foretold', (bytes) => {
    const plain = imageBytes(bytes, 5);
    const body = bodyOf(plain);
    expect(body.length).toBe(bodyBytes(bytes));
    expect(Buffer.compare(open(body, bytes), plain)).toBe(0);
    expect(Buffer.compare(open(body, bytes, 997), plain)).toBe(0);
  });

  it('comes back when it is fed byte by byte', () => {
    const plain = imageBytes(CHUNK + 300, 6);
    expect(Buffer.compare(open(bodyOf(plain), plain.length, 1), plain)).toBe(0);
  });

  it('is the same by node:crypto', () => {
    const plain = imageBytes(150_000, 7);
    expect(Buffer.compare(bodyOf(plain, chachaNode), bodyOf(plain, chachaPure))).toBe(0);
    expect(Buffer.compare(open(bodyOf(plain), plain.length, 4096, chachaNode), plain)).toBe(0);
  });

  it('is read from any chunk on, by the range that holds it', () => {
    const plain = imageBytes(3 * CHUNK + 5, 8);
    const body = bodyOf(plain);
    for (const [from, to] of [
      [0, 1],
      [CHUNK, CHUNK + 1],
      [CHUNK - 1, CHUNK + 1],
      [2 * CHUNK + 7, plain.length],
      [3 * CHUNK, plain.length],
    ] as const) {
      // prettier-ignore
      const range = sealedRange(plain.length, from, to);
      const opener = new StreamOpener({ key: payloadKey(FILE_KEY, NONCE), plainBytes: plain.length }, range.firstChunk);
      const got = joined(opener.push(body.subarray(range.from, range.to)));
      const skip = from - range.firstChunk * CHUNK;
      expect(Buffer.compare(got.subarray(skip, skip + to - from), plain.subarray(from, to))).toBe(0);
    }
  });

  it('gives nothing of a chunk with a bit turned, wherever it is', () => {
    const plain = imageBytes(CHUNK + 100, 9);
    const body = bodyOf(plain);
    const whole = imageBytes(0, 0);
    for (let at = 16; at < body.length; at += at > CHUNK ? 1 : 4001) {
      const bad = body.slice();
      bad[at]! ^= 1 << (at % 8);
      const opener = new StreamOpener({ key: payloadKey(FILE_KEY, NONCE), plainBytes: plain.length, aead: chachaNode });
      let given = whole.length;
      const feed = (): void => {
        for (const part of opener.push(bad.subarray(16))) given += part.length;
      };
      expect(feed, `byte ${at}`).toThrow(expect.objectContaining({ code: 'age_chunk' }));
      expect(given).toBe(at < 16 + CHUNK + 16 ? 0 : CHUNK);
    }
  });

  it('that ends anywhere before its end is payload_truncated', () => {
    const plain = imageBytes(300, 10);
    const body = bodyOf(plain);
    for (let bytes = 16; bytes < body.length; bytes++) {
      expect(() => open(body.subarray(0, bytes), 300), `${bytes}`).toThrow(
        expect.objectContaining({ code: 'payload_truncated' }),
      );
    }
    expect(() => open(joined([body, fixed(1, 1)]), 300)).toThrow(expect.objectContaining({ code: 'age_malformed' }));
  });

  it('with its last chunk left out at a chunk border is noticed, whatever length is claimed', () => {
    const plain = imageBytes(2 * CHUNK, 11);
    const body = bodyOf(plain);
    // The first chunk alone is a well-formed chunk, but not a last one.
    expect(() => open(body.subarray(0, 16 + CHUNK + 16), CHUNK)).toThrow(
      expect.objectContaining({ code: 'age_chunk' }),
    );
    // A last chunk is none in the middle.
    const swapped = joined([body.subarray(0, 16), body.subarray(16 + CHUNK + 16), body.subarray(16, 16 + CHUNK + 16)]);
    expect(() => open(swapped, plain.length)).toThrow(expect.objectContaining({ code: 'age_chunk' }));
  });
});

describe('beside the reference library', () => {
  it.each(SIZES)('a file of %i bytes made here is opened there', async (bytes) => {
    const plain = imageBytes(bytes, 12);
    const decrypter = new Decrypter();
    decrypter.addIdentity(identityText(SECRET));
    const file = joined([makeHeader(FILE_KEY, recipientOf(SECRET), fixed(4)), bodyOf(plain)]);
    expect(Buffer.compare(await decrypter.decrypt(file), plain)).toBe(0);
  });

  it('a file made there is opened here', async () => {
    const plain = imageBytes(100_000, 13);
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipientOf(SECRET));
    const file = await encrypter.encrypt(plain);
    // Stanzas of no meaning ("grease") are for readers of any age file: those have more than one recipient.
    const end = Buffer.from(file).indexOf('\n', Buffer.from(file).indexOf('\n---') + 1) + 1;
    const fileKey = openHeader(file.subarray(0, end), SECRET);
    const opener = new StreamOpener({
      key: payloadKey(fileKey, file.subarray(end, end + 16)),
      plainBytes: plain.length,
    });
    expect(Buffer.compare(joined(opener.push(file.subarray(end + 16))), plain)).toBe(0);
  });
});
