/**
 * For tests of archives: made and listed by Python, whose listing is the truth.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Container } from '../../../native-free/diff/containers/container.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import { expectSound, run } from './tools.ts';

/** What Python says of a member: where its data are, and whether they are deflated. */
export interface Truth {
  readonly at: number;
  readonly packedBytes: number;
  readonly contentBytes: number;
  readonly isDeflated: boolean;
}

const MAKE_ZIP = `
import io, json, os, sys, zipfile
out, root, names = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
options = json.loads(sys.argv[4])
if options.get('zip64'): zipfile.ZIP64_LIMIT = 10
if options.get('zip64End'): zipfile.ZIP_FILECOUNT_LIMIT = 1
class Pipe(io.RawIOBase):
    def __init__(self, to): self.to = to
    def writable(self): return True
    def write(self, data): return self.to.write(data)
    def flush(self): self.to.flush()
with open(out, 'wb') as file:
    file.write(b'#' * options.get('prefix', 0))
    to = Pipe(file) if options.get('streamed') else file
    kind = getattr(zipfile, options.get('method', 'ZIP_DEFLATED'))
    with zipfile.ZipFile(to, 'w', kind, compresslevel=options.get('level', 6)) as archive:
        archive.comment = options.get('comment', '').encode()
        for name in names:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_STORED if name in options.get('stored', []) else kind
            info.extra = b'\\x35\\xd9' + bytes([options['padding'], 0]) + bytes(options['padding']) if 'padding' in options else b''
            with archive.open(info, 'w', force_zip64=options.get('zip64', False)) as member:
                member.write(open(os.path.join(root, name), 'rb').read())
`;

const LIST_ZIP = `
import json, struct, sys, zipfile
path = sys.argv[1]
rows = []
with zipfile.ZipFile(path) as archive, open(path, 'rb') as file:
    for info in archive.infolist():
        file.seek(info.header_offset)
        names = struct.unpack('<26xHH', file.read(30))
        at = info.header_offset + 30 + sum(names)
        deflated = info.compress_type == 8 and not info.flag_bits & 1
        rows.append(dict(at=at, packedBytes=info.compress_size, contentBytes=info.file_size, isDeflated=deflated))
print(json.dumps(sorted(rows, key=lambda row: row['at'])))
`;

const LIST_TAR = `
import json, sys, tarfile
rows = []
with tarfile.open(sys.argv[1], 'r:') as archive:
    for info in archive:
        if info.isreg(): rows.append(dict(at=info.offset_data, packedBytes=info.size, contentBytes=info.size, isDeflated=False))
print(json.dumps(rows))
`;

/** Options of MAKE_ZIP. */
export interface ZipOptions {
  readonly method?: 'ZIP_DEFLATED' | 'ZIP_STORED' | 'ZIP_BZIP2' | 'ZIP_LZMA';
  readonly level?: number;
  /** Sizes stand behind the data. */
  readonly streamed?: boolean;
  /** 64-bit sizes, and a record at the end that has them. */
  readonly zip64?: boolean;
  readonly zip64End?: boolean;
  readonly comment?: string;
  /** Bytes before the archive, from whose first one offsets count. */
  readonly prefix?: number;
  /** Members that are not compressed. */
  readonly stored?: readonly string[];
  /** Bytes of an extra field, as zipalign puts them before data. */
  readonly padding?: number;
}

export function makeZip(path: string, root: string, names: readonly string[], options: ZipOptions): Buffer {
  run('python3', ['-c', MAKE_ZIP, path, root, JSON.stringify(names), JSON.stringify(options)]);
  return readFileSync(path);
}

export const listZip = (path: string): Truth[] => JSON.parse(run('python3', ['-c', LIST_ZIP, path])) as Truth[];
export const listTar = (path: string): Truth[] => JSON.parse(run('python3', ['-c', LIST_TAR, path])) as Truth[];

/** Exactly the units and files that the truth has, and nothing behind the archive or before it. */
export function expectMembers(container: Container | null, image: Uint8Array, truth: readonly Truth[]): void {
  expect(container).not.toBeNull();
  expectSound(container!, image);
  const wanted = truth.filter(({ packedBytes, contentBytes }) => packedBytes > 0 && contentBytes > 0);
  const units = wanted.filter(({ isDeflated }) => isDeflated);
  expect(container!.units).toEqual(
    units.map(({ at, packedBytes, contentBytes }) => ({
      ...{ offset: at, packedBytes, contentBytes, codec: CODEC_ID.deflate },
    })),
  );
  let unit = 0;
  expect(container!.files).toEqual(
    wanted.map(({ at, packedBytes, contentBytes, isDeflated }) => ({
      parts: [
        isDeflated ? { unit: unit++, offset: 0, length: contentBytes } : { unit: -1, offset: at, length: packedBytes },
      ],
    })),
  );
  expect(container!.nests).toBe(true);
}
