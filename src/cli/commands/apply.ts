/**
 * `engraft apply SOURCE PATCH -o TARGET`: streams a patch into a file that appears only when it is whole and verified.
 *
 * Loads little: this has to run beside a device's own work, so no part of the engine but its file helpers is here.
 *
 * @module
 */
import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { Command } from 'commander';
import { applyPayload } from '../../../native-free/apply/index.ts';
import type { PayloadHeader } from '../../../native-free/format/payload-header.ts';
import { bytesEqual, toHex } from '../../../native-free/hash.ts';
import type { CancelSignal, RandomSource, SegmentSink } from '../../../native-free/io.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { writeFileAtomically, type AtomicFile } from '../../engine/files.ts';
import { fileByteSource, fileSink, fileSource, hashSource, sha256Node } from '../../engine/node-io.ts';
import { useLittleMemory } from '../../transfer/little-memory.ts';
import { modelCoder } from '../../wasm/mix-coder.ts';
import { report, withSignals, type CommonOptions } from '../frame.ts';
import { patchKind, type PatchKind } from '../patch-file.ts';
import { createProgress, type Progress } from '../progress.ts';
import { formatBytes, formatCount, formatSeconds } from '../text.ts';

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
  readonly signal: CancelSignal;
  readonly progress: Progress;
}

/** The command, for the frame. */
export function define(): Command {
  return new Command('apply')
    .description('Make the target from SOURCE and PATCH (an engraft payload, or a BSDIFF40 patch of any bsdiff).')
    .argument('<source>', 'source image; - for a full payload')
    .argument('<patch>', 'patch or full payload')
    .requiredOption('-o, --output <file>', 'where to write the target')
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
  const patch = fileByteSource(work.patchPath);
  let kind: PatchKind;
  try {
    kind = await patchKind(work.patchPath, patch);
    if (kind === 'engraft') {
      return await withSource(work, (source) =>
        writeFileAtomically(work.output, (file) => applyEngraft(work, patch, source, file), { signal: work.signal }),
      );
    }
  } finally {
    patch.close();
  }
  const { applyBsdiff40File } = await import('../bsdiff40-file.ts');
  return withSource(work, (source) => {
    if (source === undefined) throw new UpdateError('usage_invalid', 'a BSDIFF40 patch needs a source image');
    return applyBsdiff40File({ ...work, source, checkSpace });
  });
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

async function applyEngraft(
  work: Work,
  patch: ReturnType<typeof fileByteSource>,
  source: RandomSource | undefined,
  file: AtomicFile,
): Promise<Applied> {
  let header: PayloadHeader | undefined;
  const sink = fileSink(file.handle.fd, work.output);
  // Segments vouch for themselves; no signature vouches for the header here, so its target digest is checked as well.
  const whole = sha256Node();
  const hashed: SegmentSink = {
    async write(segment) {
      whole.update(segment.bytes);
      await sink.write(segment);
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
        checkPatchSize(work.patchPath, patch.size, header);
        await checkSpace(work.output, header.targetBytes);
        work.progress.start('apply', header.targetBytes);
      } else if (event.type === 'segment') {
        work.progress.update(event.targetBytesDone);
      }
    }
  } catch (error) {
    throw await explain(error, work, header, source);
  }
  const targetDigest = new Uint8Array(whole.digest());
  if (!bytesEqual(targetDigest, header!.targetDigest)) {
    throw new UpdateError('target_digest', 'the target does not have the digest that the patch names', {
      detail: { expected: toHex(header!.targetDigest), actual: toHex(targetDigest) },
    });
  }
  return { kind: header!.kind, targetBytes: header!.targetBytes, targetDigest };
}

function checkPatchSize(path: string, size: number, header: PayloadHeader): void {
  if (size === header.payloadBytes) return;
  const missing = header.payloadBytes - size;
  const detail = { path, expectedBytes: header.payloadBytes, actualBytes: size };
  if (missing > 0) {
    throw new UpdateError('payload_truncated', `${path} lacks ${missing} of its ${header.payloadBytes} bytes`, {
      detail,
    });
  }
  throw new UpdateError('payload_malformed', `${path} has ${-missing} bytes after the payload's end`, { detail });
}

/** Refuse early rather than fill the disk. A file system that does not tell is not asked twice. */
async function checkSpace(output: string, neededBytes: number): Promise<void> {
  const facts = await statfs(dirname(resolve(output))).catch(() => null);
  if (facts === null || facts.blocks === 0) return;
  const freeBytes = facts.bavail * facts.bsize;
  if (freeBytes >= neededBytes) return;
  throw new UpdateError(
    'disk_full',
    `the target needs ${formatBytes(neededBytes)}; ${formatBytes(freeBytes)} are free beside ${output}`,
    { detail: { neededBytes, freeBytes } },
  );
}

/** A segment that came out wrong means the wrong source, or damage to it: hash it to say which image it is not. */
async function explain(
  error: unknown,
  work: Work,
  header: PayloadHeader | undefined,
  source: RandomSource | undefined,
): Promise<unknown> {
  if (!UpdateError.is(error) || header?.kind !== 'delta' || source === undefined) return error;
  const suspicious = ['segment_digest', 'segment_malformed', 'payload_work'].includes(error.code);
  if (!suspicious || source.size < header.sourceBytes) return error;
  const actual = await hashSource(source, header.sourceBytes);
  if (bytesEqual(actual, header.sourceDigest)) return error;
  return new UpdateError(
    'source_digest',
    `${work.sourcePath} is not the source of this patch: its SHA-256 is ${toHex(actual)}, the patch was made from ${toHex(header.sourceDigest)}`,
    { detail: { ...error.detail, expected: toHex(header.sourceDigest), actual: toHex(actual) }, cause: error },
  );
}
