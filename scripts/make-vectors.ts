/**
 * `npm run vectors`: test/vectors/payloads.json, and the worked example of docs/format.md.
 *
 * Whoever changes the format, or a constant of its models, runs this and commits the difference; a test fails while
 * either file says something else than the code.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from '../corpus/manifest.ts';
import { parseHeader } from '../native-free/format/payload-header.ts';
import { toHex } from '../native-free/hash.ts';
import { badUnitVectors } from './vectors/bad-units.ts';
import { badVectors, type BadVector } from './vectors/bad.ts';
import { goodImages, type VectorImages } from './vectors/good.ts';
import { payloadOf, sha256 } from './vectors/payloads.ts';
import { unitPayloadOf, unitVectorImages, type UnitVectorImages } from './vectors/units.ts';

/** A vector that decodes, as it stands in the file. */
export interface GoodVector {
  readonly name: string;
  readonly about: string;
  /** Null for a full payload. */
  readonly sourceBase64: string | null;
  /** The source is this many times what sourceBase64 says; once if absent. */
  readonly sourceTimes?: number;
  readonly targetSha256: string;
  /** Of the whole header, as signed metadata would have it. */
  readonly headerSha256: string;
  readonly payloadBase64: string;
}

export interface Vectors {
  readonly good: readonly GoodVector[];
  readonly bad: readonly BadVector[];
}

/** What the file has to say. */
export async function makeVectors(): Promise<Vectors> {
  const images = goodImages();
  const unitImages = unitVectorImages();
  const payloads = new Map(images.map((each) => [each.name, payloadOf(each)]));
  for (const each of unitImages) payloads.set(each.name, await unitPayloadOf(each));
  const good = [...images, ...unitImages.map(plainOf)].map((each) => goodVector(each, payloads.get(each.name)!));
  return { good, bad: [...badVectors(images, payloads), ...(await badUnitVectors(unitImages, payloads))] };
}

type NamedImages = Pick<VectorImages, 'name' | 'about' | 'source' | 'target'>;

function plainOf({ name, about, source, target }: UnitVectorImages): NamedImages {
  return { name, about, source: { bytes: source.image, times: 1 }, target: target.image };
}

function goodVector({ name, about, source, target }: NamedImages, payload: Uint8Array): GoodVector {
  return {
    ...{ name, about, sourceBase64: source === null ? null : Buffer.from(source.bytes).toString('base64') },
    ...(source === null || source.times === 1 ? {} : { sourceTimes: source.times }),
    targetSha256: toHex(sha256(target)),
    headerSha256: toHex(sha256(payload.subarray(0, parseHeader(payload).headerBytes))),
    payloadBase64: Buffer.from(payload).toString('base64'),
  };
}

export function renderVectors(vectors: Vectors): string {
  return `${JSON.stringify(vectors, null, 1)}\n`;
}

const BEFORE = '<!-- tiny-delta: written by npm run vectors -->';
const AFTER = '<!-- end -->';

/** docs/format.md with the hexdump of `tiny-delta` as it is now. */
export function withExample(document: string, vectors: Vectors): string {
  const { payloadBase64 } = vectors.good.find(({ name }) => name === 'tiny-delta')!;
  const example = hexdump(new Uint8Array(Buffer.from(payloadBase64, 'base64')));
  const start = document.indexOf(BEFORE) + BEFORE.length;
  return `${document.slice(0, start)}\n\n\`\`\`\n${example}\`\`\`\n\n${document.slice(document.indexOf(AFTER))}`;
}

/** A payload of one segment, its body in the header, field by field. */
function hexdump(payload: Uint8Array): string {
  const header = parseHeader(payload);
  const lines: string[] = [];
  let at = 0;
  const put = (count: number, what: string): void => {
    for (let done = 0; done < count || done === 0; done += 8) {
      const bytes = payload.subarray(at + done, at + Math.min(count, done + 8));
      const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
      const line = `${(at + done).toString(16).padStart(4, '0')}  ${hex.padEnd(23)}  ${done === 0 ? what : ''}`;
      lines.push(line.trimEnd());
    }
    at += count;
  };
  const varint = (what: string): void => {
    let count = 1;
    while (payload[at + count - 1]! >= 128) count++;
    put(count, what);
  };
  put(8, 'magic');
  put(4, `version ${payload[8]}, delta with its body here, mixing, segments of 2^${payload[11]} bytes`);
  put(4, `header of ${header.headerBytes} bytes`);
  varint(`${(header.decoderMemoryBytes / 1024).toLocaleString('en')} KiB to decode`);
  varint(`target of ${header.targetBytes} bytes`);
  varint(`source of ${header.sourceBytes}`);
  varint(`plan of ${header.planBytes} bytes`);
  varint(`${header.decoderWork} unit of work`);
  put(1, `tables of 2^${header.modelSizes.flagBits} slots for flags, 2^${header.modelSizes.byteBits} for bytes`);
  put(1, `profile ${header.profile}`);
  varint(`segment 0 is coded in ${header.segments[0]!.encodedBytes} bytes`);
  put(32, 'digest of the source');
  put(32, 'digest of segment 0, which is all of the target');
  put(header.planBytes, 'plan: three covers, no regions');
  put(header.segments[0]!.encodedBytes, 'segment 0');
  return `${lines.join('\n')}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const vectors = await makeVectors();
  writeFileSync(join(repositoryRoot(), 'test', 'vectors', 'payloads.json'), renderVectors(vectors));
  const path = join(repositoryRoot(), 'docs', 'format.md');
  writeFileSync(path, withExample(readFileSync(path, 'utf8'), vectors));
}
