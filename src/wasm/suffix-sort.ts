/**
 * The suffix sort in WebAssembly: the same array as `suffixArray`, more than twice as fast.
 * @module
 */
import { suffixArray } from '../../native-free/diff/match/suffix-array.ts';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import { instantiate } from './instance.ts';
import { base64 } from './suffix-sort.generated.ts';

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Address of a text of `count` bytes. */
  create(count: number): number;
  sort(count: number): void;
  /** Address of the suffix array. */
  suffixes(): number;
}

/** Five bytes for each of the text, and tables; a WebAssembly memory ends at 4 GiB. */
const WASM_BYTES_MAX = 700 * 2 ** 20;

/**
 * All suffixes of `bytes` in lexicographic order; contract and result of `suffixArray`, which takes over where
 * WebAssembly or its memory cannot be had. Every call has a memory of its own, five bytes for each of the text, and
 * without `into` the result lies in it: it can be read and written, but not be transferred to a thread.
 */
export function suffixArrayWasm(bytes: Uint8Array, into?: Int32Array): Int32Array {
  const count = bytes.length;
  if (count > LIMITS.dense_bytes_max || count > WASM_BYTES_MAX) return suffixArray(bytes, into);
  if (into !== undefined && into.length !== count) {
    throw new UpdateError('usage_invalid', `the result array has ${into.length} entries, ${count} are needed`);
  }
  let exports: Exports;
  let text: number;
  try {
    exports = instantiate<Exports>(base64);
    text = exports.create(count);
    new Uint8Array(exports.memory.buffer).set(bytes, text);
    exports.sort(count);
  } catch {
    return suffixArray(bytes, into);
  }
  // Where it lies: a copy would take four fifths as much again.
  const sorted = new Int32Array(exports.memory.buffer, exports.suffixes(), count);
  if (into === undefined) return sorted;
  into.set(sorted);
  return into;
}
