/**
 * LZ4 for tests: a compressor that takes the last occurrence of four bytes, and a reader of frames.
 */

/** A block, as the format's own rules for its end want it: the last five bytes are literals, the last match starts before the last twelve. */
export function packSimply(content: Uint8Array): Uint8Array {
  const out: number[] = [];
  const seen = new Map<number, number>();
  const more = (length: number): void => {
    if (length < 15) return;
    let rest = length - 15;
    for (; rest >= 255; rest -= 255) out.push(255);
    out.push(rest);
  };
  let from = 0;
  for (let at = 0; at < content.length - 12;) {
    const key = content[at]! | (content[at + 1]! << 8) | (content[at + 2]! << 16) | (content[at + 3]! << 24);
    const before = seen.get(key) ?? -1;
    seen.set(key, at);
    if (before < 0 || at - before > 65_535) {
      at++;
      continue;
    }
    let length = 4;
    while (at + length < content.length - 5 && content[at + length] === content[before + length]) length++;
    out.push((Math.min(15, at - from) << 4) | Math.min(15, length - 4));
    more(at - from);
    for (let i = from; i < at; i++) out.push(content[i]!);
    out.push((at - before) & 255, (at - before) >> 8);
    more(length - 4);
    at += length;
    from = at;
  }
  out.push(Math.min(15, content.length - from) << 4);
  more(content.length - from);
  for (let i = from; i < content.length; i++) out.push(content[i]!);
  return Uint8Array.from(out);
}

/** Compressed blocks of a frame whose blocks are independent, by where their content begins; blocks that are not compressed are left out. */
export function blocksOfFrame(frame: Buffer, blockBytes: number): Map<number, Uint8Array> {
  const flags = frame[4]!;
  if (frame.readUInt32LE(0) !== 0x184d2204 || (flags & 0x20) === 0) throw new Error('no frame of independent blocks');
  const blocks = new Map<number, Uint8Array>();
  let at = 7 + (flags & 8) + (flags & 1 ? 4 : 0);
  for (let contentStart = 0; ; contentStart += blockBytes) {
    const size = frame.readUInt32LE(at);
    at += 4;
    if (size === 0) return blocks;
    const length = size & 0x7fffffff;
    if (size >>> 31 === 0) blocks.set(contentStart, frame.subarray(at, at + length));
    at += length + (flags & 0x10 ? 4 : 0);
  }
}
