/**
 * Memory that only grows. What several threads use at a time is handed out by one counter, which lies in it.
 */

/** The first KiB is not used but for this: what lies behind the address here is free. The host says where that begins. */
const NEXT_FREE: usize = 512;
const ALIGNMENT: usize = 16;

/** Makes the memory reach to address `end`; traps where that cannot be had. */
export function reserve(end: usize): void {
  const pages = <i32>((end + 0xffff) >> 16);
  const have = memory.size();
  if (pages > have && memory.grow(pages - have) < 0) unreachable();
}

export function aligned(at: usize): usize {
  return (at + (ALIGNMENT - 1)) & ~(ALIGNMENT - 1);
}

/** The address of `bytes` that nobody else has, of any content; they are never given back one by one. */
export function allocate(bytes: usize): usize {
  const at = <usize>atomic.add<u32>(NEXT_FREE, <u32>aligned(bytes));
  if (at + bytes < at) unreachable();
  reserve(at + bytes);
  return at;
}

/** A larger room with the first `bytes` of the old one. */
export function moved(from: usize, bytes: usize, room: usize): usize {
  const to = allocate(room);
  memory.copy(to, from, bytes);
  return to;
}
