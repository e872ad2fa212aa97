/**
 * Deflate streams as units: one, or parts of some size, cut between blocks.
 * @module
 */
import { CODEC_ID } from '../../../format/unit-map.ts';
import { LIMITS } from '../../../limits.ts';
import { blocksAllowed, BLOCK } from '../../../unpack/deflate/deflate.ts';
import { scanDeflate, type DeflateScan, type DeflateScanOptions } from '../../../unpack/deflate/scan.ts';
import { LENGTH_CODE_ORDER } from '../../../unpack/deflate/symbols.ts';
import { malformed } from '../../../unpack/tokens.ts';
import type { FoundUnit } from '../container.ts';
import { CONTENT_PER_STEP, Effort } from './effort.ts';
import { mayBeFixedBlock } from './fixed-block.ts';

/** Content of a part, as far as blocks allow: each is a place to begin at, and repeats 32 KiB to be one. */
const PART_CONTENT_BYTES_MIN = 2 ** 19;
export const PART_CONTENT_BYTES_MAX = 2 ** 20;

/** What a block costs besides its bytes: tables are built for it. */
const BLOCK_STEPS = 32;
const STORED_MASK = 0xffff;
/** Before what a block consists of: whether it is the last one, and its type. */
const BLOCK_TYPE_BITS = 3;
/** Of the numbers of literal, length and distance codes that five bits can say, two are refused. */
const CODES_MAX = 29;
const CODE_LENGTHS_MIN = 4;
/** Where code lengths of code lengths begin: behind the type, and three numbers of 5, 5 and 4 bits. */
const CODE_LENGTHS_BIT = 17;
const CODE_LENGTH_MAX = 7;

export interface DeflateParts extends DeflateScan {
  /** In order: the first begins at `offset`. */
  readonly units: readonly FoundUnit[];
}

/**
 * The stream that begins at `offset`, as units.
 * @throws UpdateError unit_malformed for what is no such stream, cannot be cut into units, or takes too much effort
 */
export function deflateParts(
  bytes: Uint8Array,
  offset: number,
  checksum: DeflateScanOptions['checksum'],
  effort: Effort = new Effort(bytes.length),
): DeflateParts {
  const cutter = new Cutter(offset);
  let [bit, made] = [0, 0];
  const onBlock = (endBit: number, contentBytes: number): void => {
    effort.spend(BLOCK_STEPS + (endBit - bit) / 8 + (contentBytes - made) / CONTENT_PER_STEP);
    [bit, made] = [endBit, contentBytes];
    cutter.add(endBit, contentBytes);
  };
  const scan = scanDeflate(bytes, offset, { checksum, onBlock });
  return { ...scan, units: cutter.finish(scan.packedBytes) };
}

/** Where a block ends. */
interface Place {
  /** Byte of the stream in which the next block begins. */
  readonly at: number;
  readonly content: number;
  /** Blocks up to here. */
  readonly blocks: number;
}

const START: Place = { at: 0, content: 0, blocks: 0 };

class Cutter {
  readonly #offset: number;
  readonly #cuts: Place[] = [START];
  #end = START;

  constructor(offset: number) {
    this.#offset = offset;
  }

  /** A block begins the next part where what is there is enough for one. */
  add(endBit: number, content: number): void {
    if (this.#end.content - this.#cuts.at(-1)!.content >= PART_CONTENT_BYTES_MIN) this.#cuts.push(this.#end);
    this.#end = { at: Math.floor(endBit / 8), content, blocks: this.#end.blocks + 1 };
    check(this.#cuts.at(-1)!, this.#end);
  }

  /** A rest goes to the part before it, where both are no more than a part may be. */
  finish(packedBytes: number): FoundUnit[] {
    const [before, last] = this.#cuts.slice(-2);
    if (last !== undefined && this.#end.content - last.content < PART_CONTENT_BYTES_MIN) {
      const both = this.#end.content - before!.content;
      const blocks = this.#end.blocks - before!.blocks;
      if (both <= PART_CONTENT_BYTES_MAX && blocks <= blocksAllowed(both)) this.#cuts.pop();
    }
    const ends = [...this.#cuts.slice(1), { ...this.#end, at: packedBytes }];
    return ends.map((end, i): FoundUnit => {
      const from = this.#cuts[i]!;
      const offset = this.#offset + from.at;
      const sizes = { packedBytes: end.at - from.at, contentBytes: end.content - from.content };
      return { offset, ...sizes, codec: CODEC_ID.deflate, continues: i > 0 };
    });
  }
}

/** A part that grows beyond what a unit may be ends the search, before it costs more. */
function check(from: Place, to: Place): void {
  const content = to.content - from.content;
  if (content > LIMITS.unit_content_bytes_max || to.blocks - from.blocks > blocksAllowed(content))
    malformed('deflate', `a part of ${to.blocks - from.blocks} blocks and ${content} bytes`);
}

/** Could a stream begin here? Tells nearly all bytes apart that are none, at the cost of the first few. */
export function looksLikeDeflate(bytes: Uint8Array, offset: number): boolean {
  if (offset + 5 > bytes.length) return false;
  const [head, second, third] = [bytes[offset]!, bytes[offset + 1]!, bytes[offset + 2]!];
  const type = (head >> 1) & 3;
  if (type === BLOCK.fixed) return mayBeFixedBlock(bytes, offset, BLOCK_TYPE_BITS);
  if (type === BLOCK.stored) {
    const length = second | (third << 8);
    return head >> 3 === 0 && (length ^ (bytes[offset + 3]! | (bytes[offset + 4]! << 8))) === STORED_MASK;
  }
  if (type !== BLOCK.dynamic || head >> 3 > CODES_MAX || (second & 31) > CODES_MAX) return false;
  const count = CODE_LENGTHS_MIN + ((second >> 5) | ((third & 1) << 3));
  return isFullCode(bytes, offset, count);
}

/** The code of code lengths has to be full, which is rare among random ones. */
function isFullCode(bytes: Uint8Array, offset: number, count: number): boolean {
  let free = 1 << CODE_LENGTH_MAX;
  for (let i = 0; i < Math.min(count, LENGTH_CODE_ORDER.length); i++) {
    const bit = CODE_LENGTHS_BIT + 3 * i;
    const at = offset + (bit >> 3);
    const length = ((bytes[at]! | ((bytes[at + 1] ?? 0) << 8)) >> (bit & 7)) & 7;
    if (length > 0) free -= 1 << (CODE_LENGTH_MAX - length);
  }
  return free === 0;
}
