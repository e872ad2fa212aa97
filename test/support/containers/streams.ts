/**
 * For tests of what finds streams: contents of their units, also of streams cut into parts, and streams among noise.
 */
import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';
import type { Container } from '../../../native-free/diff/containers/container.ts';
import { HISTORY_BYTES } from '../../../native-free/format/unit-map.ts';
import { codecOf } from '../../../native-free/unpack/codecs/list.ts';
import type { StreamState } from '../../../native-free/unpack/unit-codec.ts';
import { dice } from '../unpack/tools.ts';
import { expectSound } from './tools.ts';

/** The one file of a stream, unpacked as the encoder unpacks it: each unit with the state that the one before left. */
export function streamContent(container: Container, bytes: Uint8Array): Buffer {
  expectSound(container, bytes);
  const { units, files } = container;
  expect(container.nests).toBe(true);
  expect(files).toHaveLength(1);
  let state: StreamState | null = null;
  const contents = units.map((unit, i): Uint8Array => {
    const { offset, packedBytes, contentBytes, codec, continues = false } = unit;
    const goesOn = units[i + 1]?.continues === true;
    if (goesOn) expect(contentBytes).toBeGreaterThanOrEqual(HISTORY_BYTES);
    const packed = bytes.subarray(offset, offset + packedBytes + (goesOn ? 1 : 0));
    const unpacked = codecOf(codec).unpack(packed, { packedBytes, contentBytes }, continues ? state : null, {
      exact: true,
    });
    state = unpacked.after;
    const again = Buffer.from(codecOf(codec).pack(unpacked.content, unpacked.tokens, unpacked.params));
    // Compared so, since a matcher looks at each byte on its own.
    expect(again.equals(bytes.subarray(offset, offset + packedBytes))).toBe(true);
    return unpacked.content;
  });
  const parts = files[0]!.parts.map(({ unit, offset, length }) =>
    (unit === -1 ? bytes : contents[unit]!).subarray(offset, offset + length),
  );
  return Buffer.concat(parts);
}

/** Bytes in which no finder sees anything that it tries, since the first byte of none is among them. */
export function quietNoise(bytes: number, seed: number): Buffer {
  const roll = dice(seed);
  return Buffer.from(Uint8Array.from({ length: bytes }, () => 0xa0 + roll(16)));
}

/** What a program makes of its input; it must do its work. */
export function pipe(program: string, args: readonly string[], input: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.toString().slice(-500)}`);
  return stdout;
}
