/** How often streams are unpacked, and that it does not matter where and in what portions that is done. */
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { makeDelta } from '../../../native-free/diff/index.ts';
import { Exploration } from '../../../native-free/diff/units/exploration.ts';
import { explore, openContainers } from '../../../native-free/diff/units/explore.ts';
import type { Explored } from '../../../native-free/diff/units/explored.ts';
import { unpackRuns } from '../../../native-free/diff/units/stream-runs.ts';
import { parseHeader } from '../../../native-free/format/payload-header.ts';
import { CODEC_ID } from '../../../native-free/format/unit-map.ts';
import { codecOf } from '../../../native-free/unpack/codecs/list.ts';
import { DeltaEngine, type EngineProgress } from '../../../src/engine/index.ts';
import { modelCoder } from '../../../src/wasm/mix-coder.ts';
import { applied } from '../../support/engine.ts';
import { sha256, sha256Node } from '../../support/images.ts';
import { records, revised } from '../../support/unit-payloads.ts';

const MIB = 2 ** 20;
/** A stream of several parts, and one within it. */
const inner = records(4, 3 * MIB);
const image = (content: Buffer): Buffer =>
  Buffer.concat([Buffer.alloc(100, 1), gzipSync(content), Buffer.alloc(100, 2), gzipSync(gzipSync(records(5, 9000)))]);
/** In each part something is changed, so that none is a copy. */
const everywhere = Array.from({ length: 40 }, (_, i) => i / 40);
const long = records(6, 4.5 * MIB);
const source = image(inner);
const target = image(revised(inner));

/** Contents by their digests: they are compared in no time. */
const facts = ({ units, ...rest }: Explored) => {
  return {
    ...rest,
    units: units.map((unit) => ({ ...unit, content: Buffer.from(sha256(unit.content)).toString('hex') })),
  };
};

afterEach(() => void vi.restoreAllMocks());

describe('looking into an image', () => {
  it('gives the same whatever portions streams are unpacked in', () => {
    const whole = explore(source, { exact: true });
    const exploration = new Exploration(source);
    while (exploration.views.length > 0) {
      const runs = exploration.found(exploration.views.map((bytes) => openContainers(bytes)));
      exploration.unpacked(runs.flatMap((run) => unpackRuns([run], { exact: true })));
    }
    expect(facts(exploration.explored())).toEqual(facts(whole));
    expect(whole.units.length).toBeGreaterThan(4);
    expect(whole.containers).toEqual({ gzip: 3 });
  });

  it('unpacks each unit once, and packs it once', () => {
    const codec = codecOf(CODEC_ID.deflate);
    const unpack = vi.spyOn(codec, 'unpack');
    const pack = vi.spyOn(codec, 'pack');
    const { units } = explore(source, { exact: true });
    expect(unpack).toHaveBeenCalledTimes(units.length);
    expect(pack).toHaveBeenCalledTimes(units.length);
  });

  it('keeps the parts of a stream before one that does not come back, and counts the others as streams', () => {
    const codec = codecOf(CODEC_ID.deflate);
    const all = explore(gzipSync(inner), { exact: true });
    expect(all.units.length).toBeGreaterThan(2);
    const pack = codec.pack.bind(codec);
    let packed = 0;
    vi.spyOn(codec, 'pack').mockImplementation((...unit) => (packed++ === 1 ? new Uint8Array(3) : pack(...unit)));
    const some = explore(gzipSync(inner), { exact: true });
    expect(some.units.length).toBe(1);
    expect(some.streams).toBe(all.units.length);
  });
});

describe('making a delta', () => {
  it('unpacks a unit of the target twice: to see that it comes back, and for its tokens', async () => {
    const unpack = vi.spyOn(codecOf(CODEC_ID.deflate), 'unpack');
    const [before, after] = [gzipSync(long), gzipSync(revised(long, everywhere))];
    const delta = await makeDelta(before, after, { hash: sha256Node, models: modelCoder });
    // Where all params are asked for; without them the source is read as a device reads it.
    const exactly = unpack.mock.calls.filter(([, , , { exact }]) => exact).length;
    const [ofSource, ofTarget] = [before, after].map((bytes) => explore(bytes, { exact: true }).units.length);
    expect(parseHeader(delta).segments.length).toBeGreaterThan(1);
    expect(exactly).toBe(ofSource! + 2 * ofTarget!);
    expect(Buffer.compare(await applied(delta, before), after)).toBe(0);
  });
});

describe('the engine', () => {
  const engines: DeltaEngine[] = [];
  const engineOf = (workers: number): DeltaEngine => {
    engines.push(new DeltaEngine({ workers }));
    return engines.at(-1)!;
  };
  afterAll(() => Promise.all(engines.map((engine) => engine.close())));

  it('makes the same bytes of images with streams for 1, 2 and 3 workers, and on the caller’s thread', async () => {
    const alone = await makeDelta(source, target, { hash: sha256Node, models: modelCoder });
    for (const workers of [1, 2, 3])
      expect(Buffer.compare((await engineOf(workers).delta(source, target)).payload, alone)).toBe(0);
  });

  it('tells how far it has looked, up to the end, and stops there when it is aborted', async () => {
    const engine = engineOf(1);
    const total = source.length + target.length;
    const told: number[] = [];
    const abort = new AbortController();
    const onProgress = ({ phase, done }: EngineProgress): void => {
      if (phase === 'analyse') abort.abort();
      if (phase === 'unpack') told.push(done);
    };
    await expect(engine.delta(source, target, { onProgress, signal: abort.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(told.length).toBeGreaterThan(3);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBe(total);

    const early = new AbortController();
    const seen = new Set<string>();
    const stop = ({ phase, done }: EngineProgress): void => {
      seen.add(phase);
      if (phase === 'unpack' && done > 0) early.abort();
    };
    const job = engine.delta(source, target, { onProgress: stop, signal: early.signal });
    await expect(job).rejects.toMatchObject({ code: 'aborted' });
    expect([...seen]).toEqual(['unpack']);
    expect((await engine.full(target.subarray(0, 5000))).kind).toBe('full');
  });
});
