/**
 * Slots in files or block devices: the running one is only read, the other one is written with pwrite and synced at
 * every segment.
 * @module
 */
import { ioCode } from '../../../native-free/errno.ts';
import { ioError, orIoError } from '../../../native-free/io-error.ts';
import { fillPieces } from '../../../native-free/format/fill-map.ts';
import { toHex } from '../../../native-free/hash.ts';
import type { AcceptedFill, HashFactory, RandomSource, SegmentSink } from '../../../native-free/io.ts';
import { UpdateError, type StatusCode } from '../../../native-free/status.ts';
import { isDevicePath, readFully, writeFully, type FileHandle, type FileSystem } from '../../platform/filesystem.ts';
import { hashSource } from '../../platform/hash.ts';
import { refuseOverlap, refuseUnsafe, type BlockDeviceInfo } from './block-device.ts';

export interface OpenSource extends RandomSource {
  close(): Promise<void>;
}

export interface OpenSink extends SegmentSink {
  close(): Promise<void>;
}

export interface SlotSet {
  /**
   * Throws `slot_missing`, `slot_unreadable`, `slot_too_small`, `slot_read_only`, `slot_mounted` or `slot_active` when
   * `slot` cannot take an image of that size. With `running`, also when the two are one place.
   */
  check(slot: string, imageBytes: number, running?: string): Promise<void>;
  /** Bytes of free space that writing an image of that size takes from the file system of the slot. */
  growthBytes(slot: string, imageBytes: number): Promise<number>;
  source(slot: string): Promise<OpenSource>;
  /** `running` is given so that no slot is ever opened for writing by mistake. Throws `slot_active`. */
  sink(slot: string, running: string): Promise<OpenSink>;
  /** Called when all segments are durable; cuts a file slot to the image's size. */
  finish(slot: string, running: string, imageBytes: number): Promise<void>;
  /** Path for messages, and for the free-space check. */
  pathOf(slot: string, running: string): string;
}

export interface FileSlotsOptions {
  readonly fs: FileSystem;
  readonly paths: Readonly<Record<string, string>>;
  /** Capacity of file slots, where it is fixed. A block device has its own. */
  readonly capacityBytes?: number;
  /** What the kernel knows of the block device at a path. Without it only sizes are checked. */
  readonly inspect?: (path: string) => Promise<BlockDeviceInfo | null>;
}

export class FileSlots implements SlotSet {
  readonly #options: FileSlotsOptions;

  constructor(options: FileSlotsOptions) {
    this.#options = options;
  }

  pathOf(slot: string): string {
    const path = this.#options.paths[slot];
    if (path === undefined)
      throw new UpdateError('slot_missing', `no slot ${slot} is configured`, { detail: { slot } });
    return path;
  }

  async check(slot: string, imageBytes: number, running?: string): Promise<void> {
    if (running !== undefined) this.#refuseSame(slot, running);
    const device = await this.#options.inspect?.(this.pathOf(slot));
    if (device) {
      refuseUnsafe(device, slot, imageBytes);
      if (running !== undefined) await this.#refuseOverlap(device, slot, running);
      return;
    }
    const capacity = await this.#capacity(slot);
    if (capacity === null || imageBytes <= capacity) return;
    throw new UpdateError('slot_too_small', `the image has ${imageBytes} bytes; slot ${slot} holds ${capacity}`, {
      detail: { slot, imageBytes, capacityBytes: capacity },
    });
  }

  async growthBytes(slot: string, imageBytes: number): Promise<number> {
    const stat = await this.#stat(slot);
    return stat.kind === 'file' ? Math.max(0, imageBytes - stat.bytes) : 0;
  }

  async source(slot: string): Promise<OpenSource> {
    const path = this.pathOf(slot);
    return openSource(this.#options.fs, path, slot);
  }

  async sink(slot: string, running: string): Promise<OpenSink> {
    this.#refuseSame(slot, running);
    await this.#refuseDevice(slot, running);
    return openSink(this.#options.fs, this.pathOf(slot), slot);
  }

  async finish(slot: string, running: string, imageBytes: number): Promise<void> {
    refuseActive(slot, running);
    const stat = await this.#stat(slot);
    if (stat.kind !== 'file' || this.#options.capacityBytes !== undefined || stat.bytes <= imageBytes) return;
    await cutFile(this.#options.fs, this.pathOf(slot), imageBytes);
  }

  #refuseSame(slot: string, running: string): void {
    refuseActive(slot, running);
    const path = this.pathOf(slot);
    if (path !== this.pathOf(running)) return;
    const message = `slot ${slot} and the running slot ${running} are both ${path}: give each its own in the configuration`;
    throw new UpdateError('slot_active', message, { detail: { slot, running, path } });
  }

  /** Asked once more right before the first write: since PLAN somebody may have mounted the slot. */
  async #refuseDevice(slot: string, running: string): Promise<void> {
    // Whatever is there: a device that was pulled out since PLAN must not be replaced by a file of its name.
    await this.#stat(slot);
    const device = await this.#options.inspect?.(this.pathOf(slot));
    if (!device) return;
    refuseUnsafe(device, slot);
    await this.#refuseOverlap(device, slot, running);
  }

  async #refuseOverlap(device: BlockDeviceInfo, slot: string, running: string): Promise<void> {
    const active = await this.#options.inspect?.(this.pathOf(running));
    if (active) refuseOverlap(device, slot, active, running);
  }

  async #stat(slot: string) {
    const path = this.pathOf(slot);
    const asked = this.#options.fs.stat(path);
    const stat = await orIoError(asked, 'slot_unreadable', `cannot look at slot ${slot} (${path})`);
    if (stat === null)
      throw new UpdateError('slot_missing', `slot ${slot} (${path}) does not exist`, { detail: { slot, path } });
    if (stat.kind === 'folder') throw new UpdateError('slot_missing', `slot ${slot} (${path}) is a folder`);
    if (stat.kind === 'file' && isDevicePath(path)) {
      const message = `slot ${slot} (${path}) is a regular file and no block device: remove it and attach the device`;
      throw new UpdateError('slot_missing', message, { detail: { slot, path } });
    }
    return stat;
  }

  async #capacity(slot: string): Promise<number | null> {
    const stat = await this.#stat(slot);
    if (stat.kind !== 'block') return this.#options.capacityBytes ?? null;
    const source = await this.source(slot);
    try {
      return source.size;
    } finally {
      await source.close();
    }
  }
}

function refuseActive(slot: string, running: string): void {
  if (slot !== running) return;
  throw new UpdateError('slot_active', `slot ${slot} is running and must not be written`, { detail: { slot } });
}

async function openSlot(fs: FileSystem, path: string, slot: string, mode: 'read' | 'update'): Promise<FileHandle> {
  try {
    return await fs.open(path, mode);
  } catch (error) {
    if (ioCode(error) === 'ENOENT') {
      throw new UpdateError('slot_missing', `slot ${slot} (${path}) does not exist`, { detail: { slot, path } });
    }
    throw ioError(error, mode === 'read' ? 'slot_unreadable' : 'slot_unwritable', `cannot open slot ${slot} (${path})`);
  }
}

/** SHA-256 of the first `bytes` of a slot, or null when it is shorter. Without `bytes` of all of it. */
export async function digestOfSlot(
  newHash: HashFactory,
  slots: SlotSet,
  slot: string,
  bytes?: number,
): Promise<string | null> {
  const source = await slots.source(slot);
  try {
    const end = bytes ?? source.size;
    return source.size < end ? null : toHex(await hashSource(source, end, newHash));
  } finally {
    await source.close();
  }
}

/** A slot as source image. */
export async function openSource(fs: FileSystem, path: string, slot: string): Promise<OpenSource> {
  const file = await openSlot(fs, path, slot, 'read');
  let size: number;
  try {
    size = await file.size();
  } catch (error) {
    await file.close();
    throw ioError(error, 'slot_unreadable', `cannot measure slot ${slot} (${path})`);
  }
  return {
    size,
    async read(offset, into) {
      const what = `cannot read slot ${slot} (${path}) at ${offset}`;
      const count = await orIoError(readFully(file, into, offset), 'slot_unreadable', what);
      if (count === into.length) return;
      throw new UpdateError('slot_unreadable', `slot ${slot} (${path}) ends at ${offset + count}`, {
        detail: { slot, path, offset, wanted: into.length },
      });
    },
    close: () => closeSlot(file, path, slot, 'slot_unreadable'),
  };
}

/** A slot as target: a segment is durable when `write` resolves. */
export async function openSink(fs: FileSystem, path: string, slot: string): Promise<OpenSink> {
  const file = await openSlot(fs, path, slot, 'update');
  const writing = async (offset: number, isLast: boolean, write: () => Promise<void>): Promise<void> => {
    try {
      await write();
      if (isLast) await file.sync();
    } catch (error) {
      throw ioError(error, 'slot_unwritable', `cannot write slot ${slot} (${path}) at ${offset}`);
    }
  };
  return {
    write: ({ offset, bytes, isLast }) => writing(offset, isLast, () => writeFully(file, bytes, offset)),
    fill: (fill) => writing(fill.offset, fill.isLast, () => fillSlot(file, fill)),
    close: () => closeSlot(file, path, slot, 'slot_unwritable'),
  };
}

/**
 * Writes only what is not so already: most of a fill is, in a slot that held an earlier release, reading is faster than
 * writing, and flash wears by writes. Zeros behind the end of a file become a hole.
 */
async function fillSlot(file: FileHandle, fill: AcceptedFill): Promise<void> {
  let at = fill.offset;
  let there: Uint8Array | null = null;
  for (const piece of fillPieces(fill)) {
    there ??= new Uint8Array(piece.length);
    const old = there.subarray(0, await readFully(file, there.subarray(0, piece.length), at));
    if (Buffer.compare(old, piece.subarray(0, old.length)) !== 0) await writeFully(file, piece, at);
    else if (old.length < piece.length && fill.value === 0) return file.truncate(fill.offset + fill.length);
    else await writeFully(file, piece.subarray(old.length), at + old.length);
    at += piece.length;
  }
}

const closeSlot = (file: FileHandle, path: string, slot: string, code: StatusCode): Promise<void> =>
  orIoError(file.close(), code, `cannot close slot ${slot} (${path})`, { slot, path });

/** Cut a file to the image, so that the slot file and the image are the same bytes. */
export async function cutFile(fs: FileSystem, path: string, bytes: number): Promise<void> {
  try {
    const file = await fs.open(path, 'update');
    try {
      await file.truncate(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(error, 'slot_unwritable', `cannot cut ${path} to ${bytes} bytes`, { path });
  }
}
