/**
 * The patcher's tests for runtimes without a test runner: nothing but the language and native-free.
 *
 * A check that fails throws; the names of the checks that passed are the result. test/runtime/patcher.test.ts bundles
 * this file and runs it in Node, Bun, Deno and QuickJS.
 */
import {
  applyPayload,
  bytesEqual,
  bytesSource,
  digestOf,
  memorySink,
  memorySource,
  parseHeader,
  sha256Pure,
  toHex,
  UpdateError,
  type ByteSource,
  type RandomSource,
  type StatusCode,
} from '../../native-free/index.ts';

/** Images and payloads in hexadecimal, since QuickJS has neither atob nor TextDecoder. */
export interface Vectors {
  readonly source: string;
  readonly target: string;
  /** SHA-256 of the target, by the machine that made the vectors. */
  readonly targetDigest: string;
  readonly delta: string;
  readonly full: string;
}

const FLIPS = 24;
const CUTS = 16;

interface Applied {
  readonly target: Uint8Array;
  /** Target bytes that the sink accepted. */
  readonly accepted: number;
  readonly error: UpdateError | null;
}

interface Case {
  readonly source: RandomSource;
  readonly target: Uint8Array;
}

/** Runs all checks; resolves with their names. Rejects with the first that fails. */
export async function runPatcherSuite(vectors: Vectors): Promise<string[]> {
  const source = memorySource(fromHex(vectors.source));
  const target = fromHex(vectors.target);
  const passed: string[] = [];
  const check = async (name: string, body: () => Promise<void>): Promise<void> => {
    await body().catch((error: unknown) => {
      throw new Error(`${name}: ${error instanceof Error ? `${error.message}\n${error.stack}` : String(error)}`);
    });
    passed.push(name);
  };
  await check('the digest of the target is what node:crypto computed', async () => {
    equal(toHex(digestOf(sha256Pure, target)), vectors.targetDigest, 'digest');
  });
  for (const kind of ['delta', 'full'] as const) {
    await checkPayload(kind, fromHex(vectors[kind]), { source, target }, check);
  }
  await check('a wrong source is named with its segment, and nothing of that segment is written', async () => {
    const wrong = fromHex(vectors.source).fill(0);
    const { error, accepted } = await apply(bytesSource(fromHex(vectors.delta)), {
      source: memorySource(wrong),
      target,
    });
    equal(error?.code, 'segment_digest', 'code');
    equal(error?.detail['segment'], 0, 'segment');
    equal(accepted, 0, 'accepted bytes');
  });
  return passed;
}

type Check = (name: string, body: () => Promise<void>) => Promise<void>;

async function checkPayload(kind: string, payload: Uint8Array, images: Case, check: Check): Promise<void> {
  const { target } = images;
  const intact = (outcome: Applied): void => {
    if (outcome.error !== null) throw outcome.error;
    equal(bytesEqual(outcome.target, target), true, 'target as expected');
  };
  await check(`${kind}: applies in one piece`, async () =>
    intact(await apply(bytesSource(payload, payload.length), images)),
  );
  await check(`${kind}: applies byte by byte`, async () => intact(await apply(bytesSource(payload, 1), images)));
  await check(`${kind}: goes on at a segment, without the bytes before it`, async () => {
    intact(await apply(bytesSource(payload, 1000), images, 1));
  });
  await check(`${kind}: ends with an UpdateError wherever it is cut off`, async () => {
    for (let i = 0; i < CUTS; i++) {
      const cut = Math.floor((payload.length * i) / CUTS);
      const outcome = await apply(bytesSource(payload.subarray(0, cut), 777), images);
      const codes: StatusCode[] = ['payload_truncated'];
      equal(codes.includes(outcome.error?.code as StatusCode), true, `error at ${cut}: ${outcome.error?.code}`);
      onlyVerified(outcome, target);
    }
  });
  await check(`${kind}: ends with an UpdateError whatever bit is flipped`, async () => {
    const { headerBytes } = parseHeader(payload);
    for (let i = 0; i < FLIPS; i++) {
      // Half of the flips in the header, half in the body, one bit each.
      // A small body is part of the header.
      const bodyStart = Math.min(headerBytes, payload.length - 1);
      const [start, end] = i % 2 === 0 ? [0, headerBytes] : [bodyStart, payload.length];
      const at = start + Math.floor(((end - start) * i) / FLIPS);
      const flipped = payload.slice();
      flipped[at]! ^= 1 << (i % 8);
      const expectedHeaderDigest = digestOf(sha256Pure, payload.subarray(0, headerBytes));
      const outcome = await apply(bytesSource(flipped), images, 0, expectedHeaderDigest);
      equal(outcome.error === null, false, `an error for a flip at ${at}`);
      onlyVerified(outcome, target);
    }
  });
}

/** Whatever went wrong: what reached the sink is what the target has there. */
function onlyVerified(outcome: Applied, target: Uint8Array): void {
  const accepted = outcome.target.subarray(0, outcome.accepted);
  equal(bytesEqual(accepted, target.subarray(0, outcome.accepted)), true, 'accepted bytes are the target');
}

async function apply(
  payload: ByteSource,
  images: Case,
  resumeSegment = 0,
  expectedHeaderDigest?: Uint8Array,
): Promise<Applied> {
  const target = new Uint8Array(images.target.length);
  let accepted = 0;
  const inner = memorySink(target);
  const sink: typeof inner = {
    async write(segment) {
      // What an earlier attempt made durable is there already.
      if (accepted === 0) target.set(images.target.subarray(0, resumeSegment === 0 ? 0 : segment.offset));
      await inner.write(segment);
      accepted = segment.offset + segment.bytes.length;
    },
  };
  const { source } = images;
  try {
    const events = applyPayload({ payload, source, sink, resumeSegment, expectedHeaderDigest });
    while (!(await events.next()).done);
    return { target, accepted, error: null };
  } catch (error) {
    if (!UpdateError.is(error)) throw error;
    return { target, accepted, error };
  }
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: expected ${String(expected)}, got ${String(actual)}`);
}

function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
