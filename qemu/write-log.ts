/**
 * The log that QEMU's `blklogwrites` keeps, in the format of Linux's dm-log-writes
 * (Documentation/admin-guide/device-mapper/log-writes.rst): a superblock, then one entry a write, flush or discard, each
 * in a sector of its own with the written data behind it. All numbers are little endian; sectors have 512 bytes.
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { UpdateError } from '../native-free/status.ts';

const MAGIC = 0x6a736677736872n;
const VERSION = 1n;
const SECTOR_BYTES = 512;
const FLUSH = 1n;
const FUA = 2n;
const DISCARD = 4n;

export interface LogEntry {
  readonly kind: 'write' | 'flush' | 'discard';
  /** On the device. */
  readonly offset: number;
  readonly bytes: number;
  /** Of its data in the log file. */
  readonly dataOffset: number;
  /** Where the next entry begins. */
  readonly logEnd: number;
}

/**
 * The entries in the order in which the guest made them. QEMU writes the superblock at flushes: that of a device which
 * was never flushed, such as an SD card, is still empty. A log that was cut short ends
 * with its last whole entry.
 */
export function readWriteLog(path: string): LogEntry[] {
  const file = openSync(path, 'r');
  try {
    const header = readAt(file, 0, SECTOR_BYTES);
    const isNew = header?.every((byte) => byte === 0) === true;
    if (header === null || !(isNew || (header.readBigUInt64LE(0) === MAGIC && header.readBigUInt64LE(8) === VERSION)))
      throw new UpdateError('input_unreadable', `${path} is no write log`);
    const unit = isNew ? SECTOR_BYTES : header.readUInt32LE(24);
    const entries: LogEntry[] = [];
    for (let at = unit; ;) {
      const head = readAt(file, at, 32);
      if (head === null) return entries;
      const [sector, sectors, flags, dataBytes] = [0, 8, 16, 24].map((field) => head.readBigUInt64LE(field)) as [
        bigint,
        bigint,
        bigint,
        bigint,
      ];
      // The file may have been grown before the entry was written.
      if (sector === 0n && sectors === 0n && flags === 0n) return entries;
      const dataOffset = at + unit;
      const isDiscard = (flags & DISCARD) !== 0n;
      const bytes = Number(sectors) * SECTOR_BYTES;
      at = dataOffset + (isDiscard ? 0 : Math.ceil((bytes + Number(dataBytes)) / unit) * unit);
      const common = { dataOffset, logEnd: at };
      const offset = Number(sector) * SECTOR_BYTES;
      if (bytes > 0) entries.push({ ...common, kind: isDiscard ? 'discard' : 'write', offset, bytes });
      // A flush, or a write that is on the medium when it ends, together with all before it as far as we care.
      if ((flags & (FLUSH | FUA)) !== 0n) entries.push({ ...common, kind: 'flush', offset: 0, bytes: 0 });
    }
  } finally {
    closeSync(file);
  }
}

function readAt(file: number, offset: number, bytes: number): Buffer | null {
  const into = Buffer.alloc(bytes);
  return readSync(file, into, 0, bytes, offset) === bytes ? into : null;
}

/** The content of a disk or card, in memory. Changes can be taken back: copying a whole disk for every state is slow. */
export class Medium {
  readonly bytes: Buffer;
  #before: { readonly offset: number; readonly bytes: Buffer }[] | null = null;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Call before changing these bytes. */
  touch(offset: number, bytes: number): void {
    this.#before?.push({ offset, bytes: Buffer.from(this.bytes.subarray(offset, offset + bytes)) });
  }

  /** Run `work`, then take back what it changed. */
  try<T>(work: () => T): T {
    this.#before = [];
    try {
      return work();
    } finally {
      for (const { offset, bytes } of this.#before.reverse()) bytes.copy(this.bytes, offset);
      this.#before = null;
    }
  }
}

/** A log with its entries' data. */
export class WriteLog {
  readonly entries: readonly LogEntry[];
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.entries = readWriteLog(path);
  }

  /** How many entries are in the first `fileBytes` of the log file. */
  entriesWithin(fileBytes: number): number {
    let count = 0;
    while (count < this.entries.length && this.entries[count]!.logEnd <= fileBytes) count++;
    return count;
  }

  /** Of the first `count` entries, those that a flush vouches for. */
  flushedBefore(count: number): number {
    for (let i = count; i > 0; i--) if (this.entries[i - 1]!.kind === 'flush') return i;
    return 0;
  }

  /** Write entry number `i`, or only its first `limit` bytes. */
  apply(medium: Medium, i: number, limit = Infinity): void {
    const { kind, offset, bytes, dataOffset } = this.entries[i]!;
    const length = Math.min(bytes, limit);
    medium.touch(offset, length);
    if (kind === 'discard') medium.bytes.fill(0, offset, offset + length);
    if (kind !== 'write' || length === 0) return;
    const file = openSync(this.#path, 'r');
    try {
      const read = readSync(file, medium.bytes, offset, length, dataOffset);
      if (read !== length) throw new UpdateError('input_unreadable', `${this.#path} ends within a write`);
    } finally {
      closeSync(file);
    }
  }
}
