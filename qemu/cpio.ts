/**
 * An initramfs: a cpio archive of the kernel's "newc" kind (Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * Written here because the bytes have to depend on the content alone: times, owners and inode numbers are fixed.
 * @module
 */

export interface CpioEntry {
  readonly path: string;
  /** Content of a file, or the target of a link; null for a folder. */
  readonly content: Buffer | string | null;
  readonly kind: 'file' | 'folder' | 'link';
}

const MODES = { file: 0o100755, folder: 0o040755, link: 0o120777 } as const;

/** The archive, uncompressed: what is compressed makes poor deltas. */
export function formatCpio(entries: readonly CpioEntry[]): Buffer {
  const pieces = entries.map((entry, i) => formatEntry(entry.path, MODES[entry.kind], i + 1, entry.content));
  return Buffer.concat([...pieces, formatEntry('TRAILER!!!', 0, 0, null)]);
}

function formatEntry(path: string, mode: number, inode: number, content: Buffer | string | null): Buffer {
  const data = Buffer.from(content ?? '');
  const links = mode === MODES.folder ? 2 : 1;
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), name])), padded(data)]);
}

const padded = (piece: Buffer): Buffer => Buffer.concat([piece, Buffer.alloc(-piece.length & 3)]);
