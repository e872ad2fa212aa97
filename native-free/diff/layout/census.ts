/**
 * Which instruction set an image of unknown nature is written in, and which of its blocks are code.
 *
 * Calls tell the instruction set, and some blocks that surely are code. From these, and from blocks without any call,
 * it is learned which bytes are likelier in code than elsewhere (naive Bayes by place in a word), and by that every
 * block is judged.
 * @module
 */
import { NOWHERE, type CodeSigns, type InstructionSet } from '../../predict/isa/instruction-set.ts';
import { INSTRUCTION_SETS } from '../../predict/isa/list.ts';
import { NumberList } from './number-list.ts';
import { twoStates } from './two-states.ts';

export const BLOCK_BYTES = 2048;

/** Blocks that are looked at to find the instruction set. */
const SAMPLE_BLOCKS = 4096;
const CODE_BLOCKS_MIN = 3;
/** Code is at least this part of an image. */
const CODE_SHARE = 64;
/** Calls per block must be so many times what random bytes would seem to have. */
const OVER_CHANCE = 5;
/** Functions are called from several places; in compressed code, whose literals still look like calls, they are not. */
const CALLS_PER_START = 2;
/** Most that one block says, and what a change between code and other bytes costs. */
const SCORE_MAX = 100;
const PRICE = 300;
const LIKELIHOOD_MAX = 64;
/** Blocks without calls from which the other bytes are learned. */
const OTHER_BLOCKS_MIN = 4;

export interface Census {
  readonly set: InstructionSet;
  /** For each block whether it is code. */
  readonly isCode: Uint8Array;
  /** Offsets that calls lead to, in order, each once. */
  readonly starts: Uint32Array;
}

/** Null for an image without code that is recognised. */
export function takeCensus(image: Uint8Array): Census | null {
  const set = dominantSet(image);
  if (set === null) return null;
  const { signs } = set;
  const blocks = Math.ceil(image.length / BLOCK_BYTES);
  const calls = new Uint16Array(blocks);
  const starts = new NumberList();
  for (let block = 0; block < blocks; block++) calls[block] = countCalls(image, block, signs, starts);
  const found = starts.distinct();
  if (signs.areCalls && starts.count < CALLS_PER_START * found.length) return null;
  return { set, isCode: judgeBlocks(image, calls, rich(signs, image.length)), starts: found };
}

/** Calls of a block of code, at least, in an image of so many bytes. */
function rich({ blockMin, step, rarity, reach }: CodeSigns, bytes: number): number {
  const chance = ((BLOCK_BYTES / step) * Math.min(1, bytes / reach)) / rarity;
  return Math.max(blockMin, Math.ceil(OVER_CHANCE * chance));
}

function dominantSet(image: Uint8Array): InstructionSet | null {
  const blocks = Math.floor(image.length / BLOCK_BYTES);
  const stride = Math.max(1, Math.ceil(blocks / SAMPLE_BLOCKS));
  let best: InstructionSet | null = null;
  let bestCount = Math.max(CODE_BLOCKS_MIN, Math.ceil(blocks / stride / CODE_SHARE)) - 1;
  for (const set of INSTRUCTION_SETS) {
    const least = rich(set.signs, image.length);
    let count = 0;
    for (let block = 0; block < blocks; block += stride)
      if (countCalls(image, block, set.signs, null) >= least) count++;
    if (count <= bestCount) continue;
    best = set;
    bestCount = count;
  }
  return best;
}

function countCalls(image: Uint8Array, block: number, signs: CodeSigns, starts: NumberList | null): number {
  const start = block * BLOCK_BYTES;
  const end = Math.min(start + BLOCK_BYTES, image.length - 7);
  let count = 0;
  for (let at = start; at < end; at += signs.step) {
    const found = signs.find(image, at);
    if (found === NOWHERE || found < 0 || found >= image.length) continue;
    count++;
    starts?.add(found);
  }
  return count;
}

function judgeBlocks(image: Uint8Array, calls: Uint16Array, least: number): Uint8Array {
  const code = new Uint32Array(1024);
  const other = new Uint32Array(1024);
  let others = 0;
  calls.forEach((count, block) => {
    const bytes = image.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    if (count >= least) tally(bytes, code);
    else if (count === 0) {
      tally(bytes, other);
      others++;
    }
  });
  if (others < OTHER_BLOCKS_MIN) return new Uint8Array(calls.length).fill(1);
  const weights = likelihoods(code, other);
  const scores = Int32Array.from(calls, (count, block) => {
    const bytes = image.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    const score = weigh(bytes, weights) + (count >= least ? SCORE_MAX : 0);
    return Math.max(-SCORE_MAX, Math.min(SCORE_MAX, score));
  });
  return twoStates(scores, PRICE);
}

/** Counts bytes by their place in a word. */
function tally(bytes: Uint8Array, counts: Uint32Array): void {
  for (let i = 0; i < bytes.length; i++) counts[((i & 3) << 8) | bytes[i]!]!++;
}

/** By place and value, how much likelier a byte is in code, in sixteenths of bits. */
function likelihoods(code: Uint32Array, other: Uint32Array): Int32Array {
  const codeTotal = logarithm(sum(code) / 4 + 256);
  const otherTotal = logarithm(sum(other) / 4 + 256);
  return Int32Array.from(code, (count, i) => {
    const likelihood = logarithm(count + 1) - codeTotal - logarithm(other[i]! + 1) + otherTotal;
    return Math.max(-LIKELIHOOD_MAX, Math.min(LIKELIHOOD_MAX, likelihood));
  });
}

function weigh(bytes: Uint8Array, weights: Int32Array): number {
  let weight = 0;
  for (let i = 0; i < bytes.length; i++) weight += weights[((i & 3) << 8) | bytes[i]!]!;
  return weight >> 7;
}

function sum(counts: Uint32Array): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** Sixteen times the binary logarithm, roughly, without floating point. */
function logarithm(value: number): number {
  const whole = 31 - Math.clz32(value);
  const part = whole >= 4 ? value >>> (whole - 4) : value << (4 - whole);
  return 16 * whole + (part & 15);
}
