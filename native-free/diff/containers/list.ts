/** Temporary. */
import type { Container } from './container.ts';
import { erofs } from './erofs/erofs.ts';
import { squashfs } from './squashfs/squashfs.ts';

export function findContainers(bytes: Uint8Array): Container[] {
  const found = squashfs.at(bytes, 0) ?? erofs.at(bytes, 0);
  return found === null ? [] : [found];
}
