/**
 * BSDIFF40 patches from parts, compressed by the system's bzip2, and a few stored ones that need no tool.
 */
import { execFileSync } from 'node:child_process';

/** Whether a program is there. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync('which', [name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export function bzip2(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(execFileSync('bzip2', ['-c'], { input: bytes, maxBuffer: 2 ** 30 }));
}

/** Sign and magnitude, eight bytes. */
function offset(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(Math.abs(value)), true);
  if (value < 0) bytes[7]! |= 128;
  return bytes;
}

export type Control = readonly [add: number, copy: number, seek: number];

export function controlBytes(controls: readonly Control[]): Uint8Array {
  return new Uint8Array(Buffer.concat(controls.flatMap((control) => control.map(offset))));
}

export interface PatchParts {
  readonly targetBytes: number;
  /** Compressed streams. */
  readonly control: Uint8Array;
  readonly diff: Uint8Array;
  readonly extra: Uint8Array;
}

export function bsdiff40({ targetBytes, control, diff, extra }: PatchParts): Uint8Array {
  const lengths = [control.length, diff.length, targetBytes].map(offset);
  return new Uint8Array(Buffer.concat([Buffer.from('BSDIFF40'), ...lengths, control, diff, extra]));
}

/**
 * What other programs have written and bspatch applies: targets of 150 bytes, of which `add` are added to the source's.
 * An entry behind the target's end; 100 bytes behind the file's; no diff stream at all; no extra stream at all.
 */
export const FROM_THE_FIELD = {
  'an entry behind the target':
    'QlNESUZGNDAwAAAAAAAAACcAAAAAAAAAlgAAAAAAAABCWmg5MUFZJlNZwVma1gAABdkASAAIABAABAAgACEpptBmgXwK4XckU4UJDBWZrWBCWmg5MUFZJlNZU2MRmQAAAEEAQABAACAAIQCCgxdyRThQkFNjEZlCWmg5MUFZJlNZUm4oCQAAAhQAAAEgACAAIQCCCxdyRThQkFJuKAk=',
  'bytes behind the file':
    'QlNESUZGNDAuAAAAAAAAACcAAAAAAAAAlgAAAAAAAABCWmg5MUFZJlNZHMJuJgAABckASAgQAAQAIAAhKabQZoF8CuF3JFOFCQHMJuJgQlpoOTFBWSZTWVNjEZkAAABBAEAAQAAgACEAgoMXckU4UJBTYxGZQlpoOTFBWSZTWVJuKAkAAAIUAAABIAAgACEAggsXckU4UJBSbigJAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==',
  'no diff stream':
    'QlNESUZGNDArAAAAAAAAAAAAAAAAAAAAlgAAAAAAAABCWmg5MUFZJlNZnpLf4gAAAEAgRAgBACAAMM00EhpnAPF3JFOFCQnpLf4gQlpoOTFBWSZTWRFBgN0AAAAEICAAEAAgACEAgoMXckU4UJARQYDd',
  'no extra stream':
    'QlNESUZGNDArAAAAAAAAACcAAAAAAAAAlgAAAAAAAABCWmg5MUFZJlNZbunHFAAAAuAgQAAIAAEAIAAhJkGYkLi7kinChIN3TjigQlpoOTFBWSZTWfsOUxQAAABAIEAAEAAgACEAgoMXckU4UJD7DlMU',
} as const;

/** 396 bytes whose control stream has 2^24 entries that make nothing. */
export const EMPTY_ENTRIES =
  'QlNESUZGNDA5AQAAAAAAACUAAAAAAAAAAQAAAAAAAABCWmg5MUFZJlNZDgni3wFfjkAAwAAACCAAMIBNRkKgJakKgJcxQVkmU1kOCeLfAV+OQADAAAAIIAAwgE1GQqAlqQqAlzFBWSZTWQ4J4t8BX45AAMAAAAggADCATUZCoCWpCoCXMUFZJlNZDgni3wFfjkAAwAAACCAAMIBNRkKgJakKgJcxQVkmU1kOCeLfAV+OQADAAAAIIAAwgE1GQqAlqQqAlzFBWSZTWQ4J4t8BX45AAMAAAAggADCATUZCoCWpCoCXMUFZJlNZDgni3wFfjkAAwAAACCAAMIBNRkKgJakKgJcxQVkmU1kOCeLfAV+OQADAAAAIIAAwgE1GQqAlqQqAlzFBWSZTWWB8yUUBAWbgCOAACABAAAAIIABQZoApSZM4opAN1JQQLsVFIB8XckU4UJCazuAkQlpoOTFBWSZTWbH3QEsAAABAAEAAIAAhGEaC7kinChIWPugJYEJaaDkXckU4UJAAAAAA';
