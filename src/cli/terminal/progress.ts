/**
 * A progress bar on a terminal: bytes, rate, time left, and how much of all the work is done. Elsewhere one line a
 * phase on stderr, so that the log of a build server tells where the time goes. Nothing with `--json`.
 *
 * @module
 */
import { monotonicMs } from '../../platform/timers.ts';
import { formatBytes, formatSeconds } from './text.ts';

export interface Progress {
  /**
   * Begin (or go over to) a named stretch of work of `totalBytes`.
   * @param share how much of all the work is done, 0 to 1, where there is more than this stretch
   */
  start(label: string, totalBytes: number, share?: number): void;
  /** So many of the bytes are done. Calls without a `start` are ignored. */
  update(doneBytes: number, share?: number): void;
  /** Take the bar off the screen. May be called more than once. */
  stop(): void;
}

export interface ProgressOptions {
  readonly json?: boolean;
  /** False for who writes lines of their own where there is no terminal. Default true. */
  readonly lines?: boolean;
}

const SILENT: Progress = { start: () => undefined, update: () => undefined, stop: () => undefined };

const percent = (share: number): string => `${Math.floor(100 * Math.min(1, share))} %`;

/** Each stretch once, however often the work comes back to it. */
export function lineProgress(write: (line: string) => void, nowMs = monotonicMs): Progress {
  const told = new Set<string>();
  const startedAt = nowMs();
  return {
    ...SILENT,
    start(label, totalBytes, share) {
      if (told.has(label)) return;
      told.add(label);
      const after = `after ${formatSeconds((nowMs() - startedAt) / 1000)}`;
      const so = share === undefined ? '' : ` (${percent(share)} of all ${after})`;
      write(`${label}: ${formatBytes(totalBytes)}${so}`);
    },
  };
}

/** Bytes per second over the last few seconds, so that a link that slows down shows. */
class Rate {
  #points: { at: number; bytes: number }[] = [];

  note(bytes: number): number {
    const now = monotonicMs();
    this.#points.push({ at: now, bytes });
    while (this.#points.length > 2 && now - this.#points[0]!.at > 5000) this.#points.shift();
    const first = this.#points[0]!;
    return now - first.at < 200 ? NaN : ((bytes - first.bytes) / (now - first.at)) * 1000;
  }
}

function payloadOf(done: number, total: number, rate: number, share?: number): Record<string, string> {
  const known = Number.isFinite(rate) && rate > 0;
  return {
    done: formatBytes(done),
    all: formatBytes(total),
    rate: known ? `${formatBytes(rate)}/s` : '-',
    left: known ? `${formatSeconds((total - done) / rate)} left` : '-',
    share: share === undefined ? '' : `all: ${percent(share)}`,
  };
}

/**
 * A bar on stderr when that is a terminal, else lines; the library is loaded for a bar only.
 * @example const progress = await createProgress(options); progress.start('download', bytes); progress.update(n);
 */
export async function createProgress(options: ProgressOptions = {}): Promise<Progress> {
  if (options.json === true) return SILENT;
  if (process.stderr.isTTY !== true) {
    return options.lines === false ? SILENT : lineProgress((line) => process.stderr.write(`${line}\n`));
  }
  const { default: cliProgress } = await import('cli-progress');
  let bar: InstanceType<typeof cliProgress.SingleBar> | null = null;
  let rate = new Rate();
  let total = 0;
  const stop = (): void => {
    bar?.stop();
    bar = null;
  };
  return {
    start(label, totalBytes, share) {
      stop();
      total = totalBytes;
      rate = new Rate();
      bar = new cliProgress.SingleBar({
        stream: process.stderr,
        format: `${label.padEnd(10)} [{bar}] {percentage}%  {done} of {all}  {rate}  {left}  {share}`,
        barsize: 28,
        hideCursor: true,
        clearOnComplete: true,
        // The program has its own signal handling; the library's would take SIGINT away from it.
        gracefulExit: false,
      });
      bar.start(Math.max(1, totalBytes), 0, payloadOf(0, totalBytes, NaN, share));
    },
    update(doneBytes, share) {
      bar?.update(Math.min(doneBytes, Math.max(1, total)), payloadOf(doneBytes, total, rate.note(doneBytes), share));
    },
    stop,
  };
}
