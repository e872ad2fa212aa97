/**
 * `engraft diff SOURCE TARGET -o PATCH`: a proved patch from two images, or with `--full` a full payload from one.
 *
 * @module
 */
import { Argument, Command, Option } from 'commander';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import type { EngineProgress, PayloadResult } from '../../engine/index.ts';
import { integerOption, note, report, withSignals, type CommonOptions } from '../frame.ts';
import { createProgress, type Progress } from '../progress.ts';
import { formatBytes, formatCount, formatSeconds, formatTable } from '../text.ts';

interface DiffOptions extends CommonOptions {
  readonly output: string;
  readonly workers?: number;
  readonly matcher: 'own' | 'bsdiff' | 'both';
  readonly memory?: number;
  readonly segmentSize?: number;
  readonly bsdiffTimeout: number;
  readonly full?: boolean;
  readonly costs?: boolean;
  readonly lowMemory?: boolean;
}

const PHASE_NAMES: Record<EngineProgress['phase'], string> = {
  analyse: 'analyse',
  match: 'match',
  encode: 'encode',
  full: 'compress',
  prove: 'prove',
};

/** The command, for the frame. */
export function define(): Command {
  const kib = 1024;
  return new Command('diff')
    .description('Make a patch that brings SOURCE to TARGET. It is applied and compared before it is written.')
    .addArgument(new Argument('<source>', 'source image; - with --full'))
    .addArgument(new Argument('<target>', 'target image'))
    .requiredOption('-o, --output <file>', 'where to write the patch')
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
    .option('--low-memory', 'for devices that can spare 8 MiB to decode; the patch gets a little larger')
    .option('--costs', 'tell what each part of the patch costs; slower')
    .action((source: string, target: string, options: DiffOptions) => diff(source, target, options));
}

async function diff(sourcePath: string, targetPath: string, options: DiffOptions): Promise<void> {
  const { DeltaEngine, imageSize, readImage, replaceFile } = await import('../../engine/index.ts');
  const startedAt = performance.now();
  const progress = await createProgress(options);
  const result = await withSignals(async (signal) => {
    if (sourcePath === '-' && options.full !== true) {
      throw new UpdateError('usage_invalid', 'a patch needs a source; only with --full it may be -');
    }
    const engine = new DeltaEngine({
      ...(options.workers === undefined ? {} : { workers: options.workers }),
      ...(options.memory === undefined ? {} : { memoryBytesMax: options.memory * 2 ** 20 }),
    });
    try {
      const makeOptions = {
        matcher: options.matcher,
        signal,
        onProgress: showPhases(progress),
        bsdiffTimeoutMs: options.bsdiffTimeout * 1000,
        metered: options.costs ?? false,
        lowMemory: options.lowMemory ?? false,
        ...(options.segmentSize === undefined ? {} : { segmentBytes: options.segmentSize * 1024 }),
      };
      // By size first: nothing is read that there is no memory for.
      const isFull = options.full === true;
      engine.checkSizes(isFull ? 0 : imageSize(sourcePath), imageSize(targetPath), makeOptions);
      const source = isFull ? null : readImage(sourcePath);
      const target = readImage(targetPath);
      const made =
        source === null ? await engine.full(target, makeOptions) : await engine.delta(source, target, makeOptions);
      await replaceFile(options.output, made.payload, { signal });
      return { made, workers: engine.workers };
    } finally {
      progress.stop();
      await engine.close();
    }
  });
  const { made } = result;
  if (made.fellBack !== undefined) note(`own matcher used: ${made.fellBack}`);
  const seconds = (performance.now() - startedAt) / 1000;
  report(options, { ...factsOf(made), output: options.output, seconds, workers: result.workers }, () =>
    textOf(made, options.output, seconds),
  );
}

/** One bar a phase. */
function showPhases(progress: Progress): (event: EngineProgress) => void {
  let shown: string | undefined;
  return ({ phase, done, total }) => {
    if (phase !== shown) progress.start(PHASE_NAMES[phase], total);
    shown = phase;
    progress.update(done);
  };
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
    segments: header.segments.length,
    segmentBytes: header.segmentBytes,
    decoderMemoryBytes: header.decoderMemoryBytes,
    decoderWork: header.decoderWork,
    matcher: made.matcher ?? null,
    fellBack: made.fellBack ?? null,
    covers: made.covers ?? 0,
    coveredBytes: made.coveredBytes ?? 0,
    ...(made.costs === undefined ? {} : { costs: made.costs }),
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
    ['target', `${formatCount(header.targetBytes)} bytes in ${header.segments.length} segments`],
    ['decoder memory', formatBytes(header.decoderMemoryBytes)],
    ['time', `${formatSeconds(seconds)}, ${made.cpuSeconds.toFixed(1)} CPU seconds`],
  ];
  if (made.kind === 'delta') {
    const covered = header.targetBytes === 0 ? 0 : (100 * (made.coveredBytes ?? 0)) / header.targetBytes;
    rows.splice(3, 0, [
      'covers',
      `${formatCount(made.covers ?? 0)} by ${made.matcher}, over ${covered.toFixed(2)} % of it`,
    ]);
    for (const [name, bytes] of Object.entries(made.costs ?? {})) {
      rows.push([`of it, ${name}`, `${formatCount(Math.round(bytes as number))} bytes`]);
    }
  }
  return formatTable(rows.map(([name, value]) => [`${name}:`, value!]));
}
