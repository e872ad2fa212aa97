/**
 * erofs images by hand, for what installed versions of mkfs.erofs do not make.
 */

const BLOCK = 4096;
/** From one inode to the next. */
const SLOT = 512;
const SLOTS = BLOCK / SLOT;

export interface HandFile {
  readonly bytes: number;
  /** Its indexes: full ones, or packs. */
  readonly layout: 1 | 3;
  /** What stands behind the inode. */
  readonly map: Uint8Array;
}

export interface HandImage {
  /** `f0`, `f1`, … in the root. */
  readonly files: readonly HandFile[];
  /** Contents of blocks from FIRST_BLOCK on. */
  readonly blocks: readonly Uint8Array[];
  readonly features?: number;
  /** The last of `files` has the fragments, and no name. */
  readonly hasFragments?: boolean;
}

/** Behind the superblock's block and one of inodes. */
export const FIRST_BLOCK = 2;
export const FEATURES = {
  zeroPadding: 1,
  bigOrConfigured: 2,
  secondHead: 8,
  inlineTail: 16,
  fragmentsOrShared: 32,
} as const;

/** Little-endian numbers, each with its width in bytes. */
export function fields(...list: readonly (readonly [value: number, bytes: number])[]): Uint8Array {
  return Uint8Array.from(
    list.flatMap(([value, bytes]) => Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256)),
  );
}

const inode = (mode: number, layout: number, bytes: number): Uint8Array =>
  fields([layout * 2, 2], [0, 2], [mode, 2], [1, 2], [bytes, 4], [0, 4], [0, 4], [1, 4], [0, 8]);

export function erofsImage({
  files,
  blocks,
  features = FEATURES.zeroPadding,
  hasFragments = false,
}: HandImage): Buffer {
  if (files.length >= SLOTS) throw new Error('there is room for seven files');
  const image = Buffer.alloc((FIRST_BLOCK + blocks.length) * BLOCK);
  const packed = hasFragments ? (files.length * SLOT) / 32 : 0;
  const count = FIRST_BLOCK + blocks.length;
  const start = fields([0xe0f5e1e2, 4], [0, 4], [0, 4], [12, 1], [0, 1], [0, 2], [files.length + 1, 8], [0, 12]);
  image.set(start, 1024);
  image.set(fields([count, 4], [1, 4]), 1024 + 36);
  image.set(fields([features, 4], [0, 12], [packed, 8]), 1024 + 80);
  const named = hasFragments ? files.slice(0, -1) : files;
  const entry = (number: number, nameAt: number): Uint8Array => fields([number, 8], [nameAt, 2], [1, 1], [0, 1]);
  const entries = named.map((_, i) => entry(((i + 1) * SLOT) / 32, named.length * 12 + 2 * i));
  const names = named.map((_, i) => `f${i}`).join('');
  const root = Buffer.concat([...entries, Buffer.from(names)]);
  image.set(inode(0x41ed, 2, root.length), BLOCK);
  image.set(root, BLOCK + 32);
  for (const [i, { bytes, layout, map }] of files.entries()) {
    if (map.length > SLOT - 32) throw new Error('indexes of 480 bytes at most');
    image.set(inode(0x81a4, layout, bytes), BLOCK + (i + 1) * SLOT);
    image.set(map, BLOCK + (i + 1) * SLOT + 32);
  }
  for (const [i, block] of blocks.entries()) image.set(block, (FIRST_BLOCK + i) * BLOCK);
  return image;
}

/** `packed` at the end of so many blocks of zeros. */
export function padded(packed: Uint8Array, blocks = 1): Buffer {
  return Buffer.concat([Buffer.alloc(blocks * BLOCK - packed.length), packed]);
}

export interface FullIndexes {
  readonly advice?: number;
  readonly algorithms?: number;
  /** The first word of the header: where the fragment is, or in its high half how long the inline tail is. */
  readonly first?: number;
  /** Type and flags, where in the cluster, and four bytes more. */
  readonly clusters: readonly (readonly [type: number, within: number, detail: number])[];
  readonly tail?: Uint8Array;
}

export function fullIndexes({ advice = 0, algorithms = 0, first = 0, clusters, tail }: FullIndexes): Uint8Array {
  const header = fields([first, 4], [advice, 2], [algorithms, 1], [0, 1], [0, 8]);
  const list = clusters.map(([type, within, detail]) => fields([type, 2], [within, 2], [detail, 4]));
  return Buffer.concat([header, ...list, tail ?? new Uint8Array(0)]);
}
