/**
 * `engraft diff SOURCE TARGET -o PATCH`: a proved patch from two images, or with `--full` a full payload from one; and
 * `engraft diff FOLDER`: all patches between the versions in a folder.
 *
 * @module
 */
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Argument, Command, Option } from 'commander';
import { LIMITS } from '../../../native-free/limits.ts';
import type { Profile } from '../../../native-free/format/profile.ts';
import type { ImageLike } from '../../../native-free/diff/fills/sparse-image.ts';
import { OUTCOME, UpdateError } from '../../../native-free/status.ts';
import type { DeltaEngine, MakeOptions, PayloadResult, UnitReport } from '../../engine/index.ts';
import type { DeviceClass } from '../../release/pricing/price.ts';
import { profileOf, withProfile, type ProfileOptions } from '../profile.ts';
import { integerOption, note, report, withSignals, type CommonOptions } from '../terminal/frame.ts';
import { checkFileOutput } from '../terminal/outputs.ts';
import { phaseProgress, type PhaseEvent } from '../terminal/phases.ts';
import { createProgress } from '../terminal/progress.ts';
import { PhaseTimings, type PhaseSeconds } from '../terminal/timings.ts';
import { fillFacts, fillText } from '../patch/fill-facts.ts';
import { formatBytes, formatCount, formatCounted, formatSeconds, formatTable } from '../terminal/text.ts';

interface DiffOptions extends CommonOptions, ProfileOptions {
  readonly output?: string;
  readonly workers?: number;
  readonly matcher: 'own' | 'bsdiff' | 'both';
  readonly memory?: number;
  readonly segmentSize?: number;
  readonly bsdiffTimeout: number;
  readonly full?: boolean;
  readonly costs?: boolean;
  readonly timings?: boolean;
  /** Commander's way of saying --no-unpack. */
  readonly unpack: boolean;
}

const HELP = `
With a FOLDER in place of SOURCE and no TARGET: a matrix of the patches between all files in it, in the order of their
names, from each to each later one. -o names a folder then, in which all payloads are kept as TARGET/from-SOURCE.engraft
and TARGET/full.engraft; without it they are only measured. The exit code is 30 when a pair could not be made.

A file that is replaced hands on its mode and, where possible, its owner. Links are followed.`;

/** The command, for the frame. */
export function define(): Command {
  const kib = 1024;
  const command = new Command('diff')
    .description('Make a patch that brings SOURCE to TARGET. It is applied and compared before it is written.')
    .addArgument(new Argument('<source>', 'source image; - with --full; or a folder of versions'))
    .addArgument(new Argument('[target]', 'target image'))
    .option('-o, --output <path>', 'where to write the patch; or a folder for all of them')
    .option('-w, --workers <n>', 'worker threads (default: one a processor)', integerOption('--workers', 1, 256))
    .addOption(
      new Option('-m, --matcher <name>', 'who finds matches').choices(['own', 'bsdiff', 'both']).default('own'),
    )
    .option('--memory <mib>', 'memory bound in MiB', integerOption('--memory', 1, 2 ** 24))
    .option(
      '--segment-size <kib>',
      'size of segments in KiB, a power of two',
      integerOption('--segment-size', LIMITS.segment_bytes_min / kib, LIMITS.segment_bytes_max / kib),
    )
    .option(
      '--bsdiff-timeout <s>',
      'seconds until bsdiff is given up',
      integerOption('--bsdiff-timeout', 1, 86400),
      120,
    )
    .option('--full', 'write the full payload of TARGET, which needs no source')
    .option('--no-unpack', 'do not look inside of compressed images; for comparison')
    .option('--costs', 'tell what each part of the patch costs; slower')
    .option('--timings', 'tell how long each phase took')
    .addHelpText('after', HELP)
    .action((source: string, target: string | undefined, options: DiffOptions) =>
      target === undefined && isFolder(source) ? diffFolder(source, options) : diffPair(source, target, options),
    );
  return withProfile(command);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function targetMissing(source: string, { full }: DiffOptions): UpdateError {
  if (full === true) {
    return new UpdateError(
      'usage_invalid',
      'with --full the image is TARGET, and - stands for SOURCE: diff - IMAGE --full',
    );
  }
  if (statSync(source, { throwIfNoEntry: false }) !== undefined) {
    return new UpdateError('usage_invalid', 'a TARGET is needed, or a folder of versions');
  }
  return new UpdateError('input_unreadable', `cannot read ${source}: there is no such file or folder`, {
    detail: { path: source },
  });
}

/** Up to this size one pair is made on this thread: there is nobody here whom it keeps waiting. */
const INLINE_BYTES_MAX = 2 ** 20;
/** The same where one thread does all: another one would only take its memory. An abort waits for the end of a step. */
const ALONE_BYTES_MAX = 64 * 2 ** 20;

async function engineOf(options: DiffOptions, isOnePair = false): Promise<DeltaEngine> {
  const isAlone = (options.workers ?? availableParallelism()) === 1;
  const { DeltaEngine: Engine } = await import('../../engine/index.ts');
  return new Engine({
    inlineBytesMax: !isOnePair ? 0 : isAlone ? ALONE_BYTES_MAX : INLINE_BYTES_MAX,
    ...(options.workers === undefined ? {} : { workers: options.workers }),
    ...(options.memory === undefined ? {} : { memoryBytesMax: options.memory * 2 ** 20 }),
  });
}

const makeOptionsOf = (options: DiffOptions, signal: AbortSignal, profile: Profile) => ({
  matcher: options.matcher,
  signal,
  bsdiffTimeoutMs: options.bsdiffTimeout * 1000,
  metered: options.costs ?? false,
  profile,
  unpack: options.unpack,
  ...(options.segmentSize === undefined ? {} : { segmentBytes: options.segmentSize * 1024 }),
});

async function diffPair(sourcePath: string, targetPath: string | undefined, options: DiffOptions): Promise<void> {
  const { output } = options;
  if (targetPath === undefined) throw targetMissing(sourcePath, options);
  if (output === undefined) throw new UpdateError('usage_invalid', 'say with --output where to write the patch');
  if (sourcePath === '-' && options.full !== true) {
    throw new UpdateError('usage_invalid', 'a patch needs a source; only with --full it may be -');
  }
  const profile = profileOf(options);
  const { replaceFile } = await import('../../platform/files/atomic-file.ts');
  const { scanImage } = await import('../../platform/files/sparse-input.ts');
  const startedAt = performance.now();
  const timings = new PhaseTimings('start');
  const progress = await createProgress(options);
  const { made, workers } = await withSignals(async (signal) => {
    // Before minutes of work.
    await checkFileOutput(output, [
      { what: 'the target', path: targetPath },
      ...(options.full === true ? [] : [{ what: 'the source', path: sourcePath }]),
    ]);
    const engine = await engineOf(options, true);
    try {
      const show = phaseProgress(progress);
      const isFull = options.full === true;
      const place = { kind: isFull ? 'full' : 'delta', index: 0, count: 1 } as const;
      const named = typeof profile === 'string' ? profile : 'small';
      const onProgress = (event: PhaseEvent): void => {
        timings.note(event.phase);
        show(event, place);
      };
      const makeOptions = { ...makeOptionsOf(options, signal, named), onProgress };
      // By size first: nothing is kept that there is no memory for.
      const files = { source: isFull ? null : scanImage(sourcePath), target: scanImage(targetPath) };
      engine.checkSizes(files.source?.map.denseBytes ?? 0, files.target.map.denseBytes, makeOptions);
      const source = files.source && files.source.read();
      const target = files.target.read();
      const result =
        source === null
          ? await engine.full(target, makeOptions)
          : await makeDelta(engine, source, target, profile, makeOptions).catch((error: unknown) => {
              throw namingFull(error, targetPath, output);
            });
      timings.note('write');
      await replaceFile(output, result.payload, { signal, onRemark: note });
      return { made: result, workers: engine.workers };
    } finally {
      progress.stop();
      await engine.close();
    }
  });
  if (made.fellBack !== undefined) note(`own matcher used: ${made.fellBack}`);
  const seconds = (performance.now() - startedAt) / 1000;
  const phases = options.timings === true ? timings.seconds() : null;
  report(options, { ...factsOf(made), output, seconds, workers, ...(phases && { phases }) }, () =>
    [textOf(made, output, seconds), ...(phases === null ? [] : [timingsText(phases)])].join('\n'),
  );
}

/** The delta of a profile, or of the one that pays on a class of devices. */
async function makeDelta(
  engine: DeltaEngine,
  source: ImageLike,
  target: ImageLike,
  profile: Profile | DeviceClass,
  options: MakeOptions,
): Promise<PayloadResult> {
  if (typeof profile === 'string') return engine.delta(source, target, options);
  const { pricedDelta } = await import('../../release/pricing/priced-delta.ts');
  const full = await engine.full(target, options);
  return pricedDelta(
    (each) => engine.delta(source, target, { ...options, profile: each }),
    full.payload.length,
    profile,
  );
}

async function diffFolder(folder: string, options: DiffOptions): Promise<void> {
  if (options.full === true) throw new UpdateError('usage_invalid', '--full goes with one TARGET, not with a folder');
  if (options.output === '-')
    throw new UpdateError('usage_invalid', 'a folder of patches cannot go to standard output');
  const profile = profileOf(options);
  if (typeof profile !== 'string') {
    throw new UpdateError('usage_invalid', '--profile auto goes with one SOURCE and TARGET, not with a folder');
  }
  const { failuresOf, makeMatrix, matrixText } = await import('../version-matrix.ts');
  const startedAt = performance.now();
  const progress = await createProgress(options);
  const matrix = await withSignals(async (signal) => {
    const engine = await engineOf(options);
    try {
      const { output } = options;
      const onProgress = phaseProgress(progress);
      return await makeMatrix({
        folder,
        output,
        engine,
        options: makeOptionsOf(options, signal, profile),
        onProgress,
        onRemark: note,
      });
    } finally {
      progress.stop();
      await engine.close();
    }
  });
  const seconds = (performance.now() - startedAt) / 1000;
  report(options, { ...matrix, seconds }, () => matrixText(matrix));
  if (failuresOf(matrix).length > 0) process.exitCode = OUTCOME.install_failed;
}

/** Where a delta gains nothing there is another way, and it has a name. */
function namingFull(error: unknown, target: string, output: string): unknown {
  if (!UpdateError.is(error) || error.code !== 'delta_not_smaller') return error;
  const command = `engraft diff --full - ${target} -o ${output}`;
  return new UpdateError(error.code, `${error.message}; to write that: ${command}`, {
    detail: error.detail,
    cause: error.cause,
  });
}

function factsOf(made: PayloadResult): Record<string, unknown> {
  const { header } = made;
  return {
    kind: made.kind,
    payloadBytes: header.payloadBytes,
    payloadDigest: made.payloadDigest,
    headerBytes: header.headerBytes,
    headerDigest: made.headerDigest,
    planBytes: header.planBytes,
    sourceBytes: header.sourceBytes,
    sourceDigest: header.sourceDigest,
    targetBytes: header.targetBytes,
    targetDigest: header.targetDigest,
    fills: fillFacts(header),
    segments: header.segments.length,
    segmentBytes: header.segmentBytes,
    decoderMemoryBytes: header.decoderMemoryBytes,
    decoderWork: header.decoderWork,
    profile: header.profile,
    matcher: made.matcher ?? null,
    fellBack: made.fellBack ?? null,
    covers: made.covers ?? 0,
    coveredBytes: made.coveredBytes ?? 0,
    ...(made.costs === undefined ? {} : { costs: made.costs }),
    units: made.units ?? null,
    cpuSeconds: made.cpuSeconds,
    proved: true,
  };
}

function textOf(made: PayloadResult, output: string, seconds: number): string {
  const { header } = made;
  const share = header.targetBytes === 0 ? 100 : (100 * header.payloadBytes) / header.targetBytes;
  const rows = [
    [made.kind === 'delta' ? 'patch' : 'full payload', output],
    ['size', `${formatCount(header.payloadBytes)} bytes, ${share.toFixed(2)} % of the target`],
    [
      'target',
      `${formatCount(header.targetBytes)} bytes${fillText(header.fills.target)} in ${formatCounted(header.segments.length, 'segment')}`,
    ],
    ['decoder memory', formatBytes(header.decoderMemoryBytes)],
    ...(made.kind === 'delta' ? [['profile', header.profile]] : []),
    ['time', `${formatSeconds(seconds)}, ${made.cpuSeconds.toFixed(1)} CPU seconds`],
  ];
  if (made.kind === 'delta') {
    // Covers of an image that was taken apart speak of its contents.
    const coverable = header.units?.targetBytes ?? header.fills.target.denseBytes;
    const covered = coverable === 0 ? 0 : (100 * (made.coveredBytes ?? 0)) / coverable;
    rows.splice(3, 0, [
      'covers',
      `${formatCount(made.covers ?? 0)} by ${made.matcher}, over ${covered.toFixed(2)} % of it`,
    ]);
    if (made.units !== undefined) rows.splice(4, 0, ['unpacked', unpackedText(made.units)]);
    for (const [name, bytes] of Object.entries(made.costs ?? {})) {
      rows.push([`of it, ${name}`, `${formatCount(Math.round(bytes as number))} bytes`]);
    }
  }
  return formatTable(rows.map(([name, value]) => [`${name}:`, value!]));
}

function timingsText(phases: readonly PhaseSeconds[]): string {
  return formatTable(
    phases.map(({ phase, wallSeconds, cpuSeconds }) => [
      `${phase}:`,
      `${wallSeconds.toFixed(2)} s, ${cpuSeconds.toFixed(2)} CPU seconds`,
    ]),
  );
}

/** What was found in the target, and what became of it. */
function unpackedText({ containers, streams, replayed, copied, unchanged, raw, dear }: UnitReport): string {
  const kinds = Object.entries(containers.target).map(([kind, count]) => `${formatCount(count)} ${kind}`);
  const modes = [
    `${formatCount(replayed)} made again`,
    `${formatCount(copied)} copied`,
    `${formatCount(unchanged)} left as in the source`,
    `${formatCount(raw)} raw${dear === 0 ? '' : ` (${formatCount(dear)} for what they cost)`}`,
  ];
  return `${kinds.join(', ') || 'nothing'}; ${formatCounted(streams, 'stream')} of the target: ${modes.join(', ')}`;
}
