/**
 * Collects what a file system's parser finds, and holds it to what a container promises: units in order that never
 * overlap, and no byte named twice.
 * @module
 */
import { LIMITS } from '../../limits.ts';
import { malformed } from '../../unpack/tokens.ts';
import type { Container, FoundFile, FoundPart, FoundUnit } from './container.ts';
import { Ranges } from './ranges.ts';

interface Block extends FoundUnit {
  /** What files named of its content; true: all, as most blocks are named by one file. */
  named: Ranges | boolean;
}

/** Files come nearly in the order of their bytes, so ranges are put at the end; a liar's may not cost more than this. */
const MOVES_MAX = 2 ** 28;

/** Bytes of the image and no unit's content. */
export const IMAGE = -1;

export class ContainerBuilder {
  readonly #kind: string;
  readonly #blocks: Block[] = [];
  readonly #at = new Map<number, number>();
  readonly #image = new Ranges(MOVES_MAX);
  readonly #files: FoundFile[] = [];
  #parts: FoundPart[] = [];
  /** Of the file that is being collected: its bytes so far, and zeros that came since. */
  #bytes = 0;
  #zeros = 0;

  constructor(kind: string) {
    this.#kind = kind;
  }

  /**
   * A compressed block, and the number that `name` takes. Two files may share one.
   * @throws UpdateError unit_malformed where something else was said to begin there, or there are too many
   */
  unit(unit: FoundUnit): number {
    const known = this.#at.get(unit.offset);
    if (known !== undefined) {
      const { packedBytes, contentBytes, codec } = this.#blocks[known]!;
      if (packedBytes !== unit.packedBytes || contentBytes !== unit.contentBytes || codec !== unit.codec)
        malformed(this.#kind, `two different blocks begin at ${unit.offset}`);
      return known;
    }
    const id = this.#blocks.length;
    if (id === LIMITS.container_units_max) malformed(this.#kind, `it has more than ${id} blocks`);
    this.#blocks.push({ ...unit, named: false });
    this.#at.set(unit.offset, id);
    return id;
  }

  /** The file that is being collected goes on with these bytes, as far as no file had them before. */
  name(id: number, offset: number, length: number): void {
    if (length === 0) return;
    if (id === IMAGE) return this.#take(this.#image, IMAGE, offset, length);
    const block = this.#blocks[id]!;
    if (offset < 0 || offset + length > block.contentBytes)
      malformed(this.#kind, `bytes ${offset} to ${offset + length} of a block of ${block.contentBytes}`);
    if (block.named === true) return;
    if (block.named === false && length === block.contentBytes) {
      block.named = true;
      this.#push({ unit: id, offset, length });
      return;
    }
    if (block.named === false) block.named = new Ranges(MOVES_MAX);
    this.#take(block.named, id, offset, length);
  }

  #take(ranges: Ranges, unit: number, offset: number, length: number): void {
    for (const { from, to } of ranges.take(offset, offset + length))
      this.#push({ unit, offset: from, length: to - from });
  }

  /** The file that is being collected goes on with zeros that lie nowhere. */
  hole(bytes: number): void {
    this.#zeros += bytes;
  }

  /** A hole that is larger than all before it is left out: no program has such, and zeros may not outgrow the image. */
  #push(part: FoundPart): void {
    const zerosBefore = this.#zeros <= this.#bytes ? this.#zeros : 0;
    this.#parts.push(zerosBefore > 0 ? { ...part, zerosBefore } : part);
    this.#bytes += zerosBefore + part.length;
    this.#zeros = 0;
  }

  /** The file is over. `joinsBelow`: it may join the file before where both have fewer bytes than that. */
  endFile(joinsBelow = 0): void {
    this.#bytes = 0;
    this.#zeros = 0;
    if (this.#parts.length === 0) return;
    if (this.#files.length === LIMITS.container_files_max)
      malformed(this.#kind, `it has more than ${this.#files.length} files`);
    const joins = joinsBelow > 0 && follows(this.#files.at(-1)?.parts, this.#parts, joinsBelow);
    this.#files.push(joins ? { parts: this.#parts, joins } : { parts: this.#parts });
    this.#parts = [];
  }

  /**
   * The container of `bytes` bytes that lies at `base`, where all offsets count from.
   * @throws UpdateError unit_malformed where blocks overlap
   */
  finish(base: number, bytes: number): Container {
    const order = this.#blocks.map((_, id) => id).sort((a, b) => this.#blocks[a]!.offset - this.#blocks[b]!.offset);
    const index = new Uint32Array(order.length);
    let end = 0;
    const units = order.map((id, i): FoundUnit => {
      const { offset, packedBytes, contentBytes, codec } = this.#blocks[id]!;
      const next = offset + packedBytes;
      if (offset < end || next > bytes || this.#image.touches(offset, next))
        malformed(this.#kind, `the block at ${offset} lies in another one`);
      end = next;
      index[id] = i;
      return { offset: base + offset, packedBytes, contentBytes, codec };
    });
    const files = this.#files.map(({ parts, ...rest }) => ({
      ...rest,
      parts: parts.map((part) =>
        part.unit === IMAGE ? { ...part, offset: base + part.offset } : { ...part, unit: index[part.unit]! },
      ),
    }));
    return { kind: this.#kind, offset: base, bytes, units, files, nests: true };
  }
}

/** Are both files one small part, the second right behind the first? */
function follows(before: readonly FoundPart[] | undefined, parts: readonly FoundPart[], below: number): boolean {
  if (before?.length !== 1 || parts.length !== 1) return false;
  const [a, b] = [before[0]!, parts[0]!];
  return a.unit === b.unit && a.offset + a.length === b.offset && Math.max(a.length, b.length) < below;
}
