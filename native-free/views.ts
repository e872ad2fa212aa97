/**
 * Bytes as callers have them: every view of memory is taken as it is, anything else is refused by name.
 * @module
 */
import { UpdateError } from './status.ts';

/** What is taken for bytes: Uint8Array and Buffer, any other view, and plain or shared memory. */
export type BytesLike = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** Tags instead of instanceof: memory may come from another realm. */
function isMemory(value: object): value is ArrayBuffer {
  const tag = Object.prototype.toString.call(value);
  return tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]';
}

function nameOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return (value.constructor as { name?: string } | undefined)?.name ?? 'an object';
}

/**
 * The same bytes as a Uint8Array, not copied. `what` is the argument's name.
 * @throws UpdateError usage_invalid
 */
export function bytesOf(value: BytesLike, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const given: unknown = value;
  if (ArrayBuffer.isView(given)) return new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  if (typeof given === 'object' && given !== null && isMemory(given)) return new Uint8Array(given);
  throw new UpdateError(
    'usage_invalid',
    `${what} is ${nameOf(given)}, and should be bytes: a Uint8Array, a Buffer, another view, or an ArrayBuffer`,
    { detail: { argument: what } },
  );
}

/**
 * Refuses a missing options object.
 * @throws UpdateError usage_invalid
 */
export function checkObject(value: unknown, what: string): void {
  if (typeof value === 'object' && value !== null) return;
  throw new UpdateError('usage_invalid', `${what} is ${nameOf(value)}, and should be an object`, {
    detail: { argument: what },
  });
}
