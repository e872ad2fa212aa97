/**
 * `engraft apply SOURCE PATCH -o TARGET`: streams a patch, from a file or a pipe, into a file that appears only when it
 * is whole and verified, or onto a block device.
 *
 * Loads little: this has to run beside a device's own work, so no part of the engine but its file helpers is here.
 *
 * @module
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { Command } from 'commander';
import { applyPayload } from '../../../native-free/apply/patcher.ts';
import type { PayloadHeader } from '../../../native-free/format/payload-header.ts';
import { fillPieces, zerosIn } from '../../../native-free/format/fill-map.ts';
import { bytesEqual, toHex } from '../../../native-free/hash.ts';
import type { ByteSource, RandomSource, SegmentSink } from '../../../native-free/io.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { fileSource } from '../../platform/files/node-io.ts';
import { hashSource, sha256Node } from '../../platform/hash.ts';
import { useLittleMemory } from '../../transfer/little-memory.ts';
import { modelCoder } from '../../wasm/mix-coder.ts';
import { withTarget } from '../patch/apply-target.ts';
import { note, report, withSignals, type CommonOptions } from '../terminal/frame.ts';
import { patchKind } from '../patch/patch-file.ts';
import { openPatch, type PatchInput } from '../patch/patch-input.ts';
import type { ApplyTarget } from '../patch/target.ts';
import { createProgress, type Progress } from '../terminal/progress.ts';
import { formatBytes, formatCount, formatSeconds } from '../terminal/text.ts';

interface ApplyCommandOptions extends CommonOptions {
  readonly output: string;
}

interface Applied {
  readonly kind: 'delta' | 'full' | 'bsdiff40';
  readonly targetBytes: number;
  readonly targetDigest: Uint8Array;
}

interface Work {
  readonly sourcePath: string;
  readonly patchPath: string;
  readonly output: string;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

const HELP = `
A file appears under its name only when it is whole and verified; until then the earlier one stays, and SOURCE itself
may be replaced so. Links are followed. Mode and owner of an earlier file are kept where possible, further names (hard
links) keep the earlier content; both are remarked on. A block device is written in place, synced at the end, and
refused while it is mounted or otherwise in use, too small, or the source.

PATCH may come through a pipe: curl -s URL | engraft apply SOURCE - -o TARGET`;

/** The command, for the frame. */
export function define(): Command {
  return new Command('apply')
    .description('Make the target from SOURCE and PATCH (an engraft payload, or a BSDIFF40 patch of any bsdiff).')
    .argument('<source>', 'source image; - for a full payload')
    .argument('<patch>', 'patch or full payload; - for standard input')
    .requiredOption('-o, --output <file>', 'where to write the target: a file, or a block device that nothing uses')
    .addHelpText('after', HELP)
    .action((source: string, patch: string, options: ApplyCommandOptions) => apply(source, patch, options));
}

async function apply(sourcePath: string, patchPath: string, options: ApplyCommandOptions): Promise<void> {
  useLittleMemory();
  const startedAt = performance.now();
  const progress = await createProgress(options);
  const applied = await withSignals(async (signal) => {
    const work: Work = { sourcePath, patchPath, output: options.output, signal, progress };
    try {
      return await applyFile(work);
    } finally {
      progress.stop();
    }
  });
  const seconds = (performance.now() - startedAt) / 1000;
  const rate = formatBytes(applied.targetBytes / Math.max(seconds, 0.001));
  report(
    options,
    { ...applied, output: options.output, seconds, verified: applied.kind !== 'bsdiff40' },
    `${options.output}: ${formatCount(applied.targetBytes)} bytes in ${formatSeconds(seconds)} (${rate}/s)\n` +
      `sha256 ${toHex(applied.targetDigest)}${applied.kind === 'bsdiff40' ? ' (BSDIFF40 names no digest to compare with)' : ', as the patch says'}`,
  );
}

async function applyFile(work: Work): Promise<Applied> {
  const { sourcePath, patchPath, output, signal } = work;
  const inputs = [
    { what: 'the patch', path: patchPath },
    ...(sourcePath === '-' ? [] : [{ what: 'the source', path: sourcePath, replaceable: true }]),
  ];
  return withSource(work, (source) =>
    withTarget({ output, inputs, signal, onRemark: note }, async (target) => {
      const patch = await openPatch(patchPath, signal);
      try {
        return await applyTo(work, patch, source, target);
      } finally {
        patch.close();
      }
    }),
  );
}

async function applyTo(
  work: Work,
  patch: PatchInput,
  source: RandomSource | undefined,
  target: ApplyTarget,
): Promise<Applied> {
  const { kind, all } = await patchKind(patch.name, patch);
  if (kind === 'engraft') return applyEngraft(work, new EngraftPatch(patch.name, patch.size, all), source, target);
  if (source === undefined) throw new UpdateError('usage_invalid', 'a BSDIFF40 patch needs a source image');
  const { applyBsdiff40To } = await import('../patch/bsdiff40-file.ts');
  const { signal, progress } = work;
  return applyBsdiff40To({ patchName: patch.name, patch: all, source, target, signal, progress });
}

async function withSource<R>(work: Work, use: (source: RandomSource | undefined) => Promise<R>): Promise<R> {
  if (work.sourcePath === '-') return use(undefined);
  const source = fileSource(work.sourcePath);
  try {
    return await use(source);
  } finally {
    source.close();
  }
}

/** Counts what was read: the decoder may have taken more than it needed. */
class EngraftPatch implements ByteSource {
  readonly name: string;
  readonly size: number | null;
  readonly #all: ByteSource;
  #bytes = 0;

  constructor(name: string, size: number | null, all: ByteSource) {
    this.name = name;
    this.size = size;
    this.#all = all;
  }

  async read(): Promise<Uint8Array | null> {
    const piece = await this.#all.read();
    this.#bytes += piece?.length ?? 0;
    return piece;
  }

  /** A pipe tells only at the end that more follows. Throws UpdateError `payload_malformed`. */
  async checkEnd({ payloadBytes }: PayloadHeader): Promise<void> {
    if (this.#bytes === payloadBytes && (await this.read()) === null) return;
    throw new UpdateError('payload_malformed', `${this.name} has bytes after the payload's end`, {
      detail: { path: this.name, expectedBytes: payloadBytes },
    });
  }
}

async function applyEngraft(
  work: Work,
  patch: EngraftPatch,
  source: RandomSource | undefined,
  target: ApplyTarget,
): Promise<Applied> {
  let header: PayloadHeader | undefined;
  // Segments vouch for themselves; no signature vouches for the header here, so its target digest is checked as well.
  const whole = sha256Node();
  const hashed: SegmentSink = {
    async write(segment) {
      whole.update(segment.bytes);
      await target.write(segment);
    },
    async fill(fill) {
      for (const piece of fillPieces(fill)) whole.update(piece);
      await target.fill(fill);
    },
  };
  const events = applyPayload({
    payload: patch,
    ...(source === undefined ? {} : { source }),
    sink: hashed,
    hash: sha256Node,
    models: modelCoder,
    signal: work.signal,
    // Reads and writes are synchronous: this is what lets a signal in.
    pause: breathe,
  });
  try {
    for await (const event of events) {
      if (event.type === 'header') {
        header = event.header;
        if (patch.size !== null) checkPatchSize(patch.name, patch.size, header);
        await target.reserve(header.targetBytes, zerosIn(header.fills.target));
        work.progress.start('apply', header.targetBytes);
      } else if (event.type === 'segment') {
        work.progress.update(event.targetBytesDone);
      }
    }
  } catch (error) {
    throw await explain(error, work, header, source);
  }
  if (patch.size === null) await patch.checkEnd(header!);
  const targetDigest = new Uint8Array(whole.digest());
  if (!bytesEqual(targetDigest, header!.targetDigest)) {
    throw new UpdateError('target_digest', 'the target does not have the digest that the patch names', {
      detail: { expected: toHex(header!.targetDigest), actual: toHex(targetDigest) },
    });
  }
  return { kind: header!.kind, targetBytes: header!.targetBytes, targetDigest };
}

function checkPatchSize(name: string, size: number, header: PayloadHeader): void {
  if (size === header.payloadBytes) return;
  const missing = header.payloadBytes - size;
  const detail = { path: name, expectedBytes: header.payloadBytes, actualBytes: size };
  if (missing > 0) {
    throw new UpdateError('payload_truncated', `${name} lacks ${missing} of its ${header.payloadBytes} bytes`, {
      detail,
    });
  }
  throw new UpdateError('payload_malformed', `${name} has ${-missing} bytes after the payload's end`, { detail });
}

/** A segment that came out wrong means the wrong source, or damage to it: hash it to say which image it is not. */
async function explain(
  error: unknown,
  work: Work,
  header: PayloadHeader | undefined,
  source: RandomSource | undefined,
): Promise<unknown> {
  if (!UpdateError.is(error) || header?.kind !== 'delta' || source === undefined) return error;
  const suspicious = ['segment_digest', 'payload_work'].includes(error.code);
  if (!suspicious || source.size < header.sourceBytes) return error;
  const actual = await hashSource(source, header.sourceBytes);
  if (bytesEqual(actual, header.sourceDigest)) return error;
  return new UpdateError(
    'source_digest',
    `${work.sourcePath} is not the source of this patch: its SHA-256 is ${toHex(actual)}, the patch was made from ${toHex(header.sourceDigest)}`,
    { detail: { ...error.detail, expected: toHex(header.sourceDigest), actual: toHex(actual) }, cause: error },
  );
}
