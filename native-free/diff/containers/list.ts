/**
 * Temporary.
 * @module
 */
import { archives } from './archives/list.ts';
import type { Container } from './container.ts';
import { erofs } from './erofs/erofs.ts';
import { squashfs } from './squashfs/squashfs.ts';

export function findContainers(bytes: Uint8Array): Container[] {
  const found = squashfs.at(bytes, 0) ?? erofs.at(bytes, 0);
  if (found !== null) return [found];
  const all: Container[] = [];
  const finders = archives.map((finder) => ({
    ...finder,
    find: finder.within?.(bytes) ?? ((offset: number) => finder.at(bytes, offset)),
  }));
  for (let at = 0; at < bytes.length;) {
    let next = at + 1;
    for (const finder of finders) {
      const { signature, onlyFirst } = finder;
      if (onlyFirst === true && at > 0) continue;
      if (signature?.bytes.some((byte, i) => bytes[at + signature.at + i] !== byte) === true) continue;
      const container = finder.find(at);
      if (container === null) continue;
      all.push(container);
      next = at + container.bytes;
      break;
    }
    at = next;
  }
  return all;
}
