/**
 * Damaged images: what a finder makes of them is nothing, or sound, and does not take long.
 */
import { expect } from 'vitest';
import type { ContainerFinder } from '../../../native-free/diff/containers/container.ts';
import { dice } from '../unpack/tools.ts';
import { expectSound } from './tools.ts';

/** Cut every 64 bytes: no container, unless only what is behind it is missing. */
export function expectNoneWhenCut(finder: ContainerFinder, image: Uint8Array): void {
  for (let length = 0; length < image.length; length += 64) expect(finder.at(image.subarray(0, length), 0)).toBeNull();
}

/** Returns how many of the damaged images were still containers. */
export function soundWhenDamaged(finder: ContainerFinder, image: Uint8Array, places: readonly number[]): number {
  const roll = dice(9);
  const bytes = Uint8Array.from(image);
  let sound = 0;
  const check = (): void => {
    const container = finder.at(bytes, 0);
    if (container === null) return;
    expectSound(container, bytes);
    sound++;
  };
  for (const at of places) {
    const before = bytes[at]!;
    for (const value of [before ^ (1 << roll(8)), before ^ 0x80, 0, 255]) {
      bytes[at] = value;
      check();
    }
    bytes[at] = before;
  }
  // Several at once: numbers that agree with each other are not all that is believed.
  for (let i = 0; i < 2000; i++) {
    const hit = Array.from({ length: 2 + roll(3) }, () => places[roll(places.length)]!);
    const before = hit.map((at) => bytes[at]!);
    for (const at of hit) bytes[at] = roll(3) === 0 ? 255 : roll(256);
    check();
    for (let k = hit.length - 1; k >= 0; k--) bytes[hit[k]!] = before[k]!;
  }
  return sound;
}

/** [from, to) as a list. */
export const span = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
