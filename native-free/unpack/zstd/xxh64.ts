/**
 * XXH64 with seed 0 (Collet's xxHash specification), of which a frame's checksum is the low half.
 *
 * Numbers of 64 bits are pairs of halves: a high and a low one in neighbouring places of one array.
 * @module
 */
const PRIMES = [
  [0x9e3779b1, 0x85ebca87],
  [0xc2b2ae3d, 0x27d4eb4f],
  [0x165667b1, 0x9e3779f9],
  [0x85ebca77, 0xc2b2ae63],
  [0x27d4eb2f, 0x165667c5],
] as const;
const STRIPE = 32;

/** A number of 64 bits that is changed in place. */
class Long {
  high: number;
  low: number;

  constructor(high: number, low: number) {
    this.high = high | 0;
    this.low = low | 0;
  }

  add(high: number, low: number): this {
    const sum = (this.low >>> 0) + (low >>> 0);
    this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) | 0;
    this.low = sum | 0;
    return this;
  }

  /** Product modulo 2^64: of the low halves all 64 bits, of the others the low 32. */
  times(high: number, low: number): this {
    const [a, b] = [this.low >>> 16, this.low & 0xffff];
    const [c, d] = [low >>> 16, low & 0xffff];
    const middle = b * c + ((b * d) >>> 16);
    const other = a * d + (middle & 0xffff);
    const carry = a * c + Math.floor(middle / 65_536) + Math.floor(other / 65_536);
    this.high = (carry + Math.imul(this.high, low) + Math.imul(this.low, high)) | 0;
    this.low = Math.imul(this.low, low);
    return this;
  }

  rotate(bits: number): this {
    const { high, low } = this;
    if (bits < 32) {
      this.high = (high << bits) | (low >>> (32 - bits));
      this.low = (low << bits) | (high >>> (32 - bits));
    } else {
      this.high = (low << (bits - 32)) | (high >>> (64 - bits));
      this.low = (high << (bits - 32)) | (low >>> (64 - bits));
    }
    return this;
  }

  xor(high: number, low: number): this {
    this.high ^= high;
    this.low ^= low;
    return this;
  }

  /** Itself shifted right, into itself. */
  fold(bits: number): this {
    const { high, low } = this;
    return bits < 32
      ? this.xor(high >>> bits, (low >>> bits) | (high << (32 - bits)))
      : this.xor(0, high >>> (bits - 32));
  }

  round(high: number, low: number): this {
    const input = new Long(high, low).times(...PRIMES[1]);
    return this.add(input.high, input.low)
      .rotate(31)
      .times(...PRIMES[0]);
  }
}

/** The low 32 bits of the hash. */
export function xxh64Low(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let hash: Long;
  if (bytes.length >= STRIPE) {
    const lanes = startOfLanes();
    for (; at <= bytes.length - STRIPE; at += STRIPE)
      lanes.forEach((lane, i) => lane.round(view.getInt32(at + 8 * i + 4, true), view.getInt32(at + 8 * i, true)));
    hash = joinLanes(lanes);
  } else hash = new Long(...PRIMES[4]);
  hash.add(0, bytes.length);
  for (; at <= bytes.length - 8; at += 8) {
    const input = new Long(0, 0).round(view.getInt32(at + 4, true), view.getInt32(at, true));
    hash
      .xor(input.high, input.low)
      .rotate(27)
      .times(...PRIMES[0])
      .add(...PRIMES[3]);
  }
  if (at <= bytes.length - 4) {
    const input = new Long(0, view.getInt32(at, true)).times(...PRIMES[0]);
    hash
      .xor(input.high, input.low)
      .rotate(23)
      .times(...PRIMES[1])
      .add(...PRIMES[2]);
    at += 4;
  }
  for (; at < bytes.length; at++) {
    const input = new Long(0, bytes[at]!).times(...PRIMES[4]);
    hash
      .xor(input.high, input.low)
      .rotate(11)
      .times(...PRIMES[0]);
  }
  hash
    .fold(33)
    .times(...PRIMES[1])
    .fold(29)
    .times(...PRIMES[2])
    .fold(32);
  return hash.low >>> 0;
}

function startOfLanes(): readonly Long[] {
  const [one, two] = PRIMES;
  const negative = new Long(~one[0], ~one[1]).add(0, 1);
  return [new Long(...one).add(...two), new Long(...two), new Long(0, 0), negative];
}

function joinLanes(lanes: readonly Long[]): Long {
  const hash = new Long(0, 0);
  [1, 7, 12, 18].forEach((bits, i) => {
    const { high, low } = new Long(lanes[i]!.high, lanes[i]!.low).rotate(bits);
    hash.add(high, low);
  });
  for (const { high, low } of lanes) {
    const input = new Long(0, 0).round(high, low);
    hash
      .xor(input.high, input.low)
      .times(...PRIMES[0])
      .add(...PRIMES[3]);
  }
  return hash;
}
