/**
 * A progress bar on a terminal: bytes, rate, time left. Nothing when stderr is piped or `--json` was asked for, and
 * then the library is not even loaded.
 *
 * @module
 */
import { monotonicMs } from '../platform/timers.ts';
import { formatBytes, formatSeconds } from './text.ts';

export interface Progress {
  /** Begin (or go over to) a named stretch of work of `totalBytes`. */
  start(label: string, totalBytes: number): void;
  /** So many of the bytes are done. Calls without a `start` are ignored. */
  update(doneBytes: number): void;
  /** Take the bar off the screen. May be called more than once. */
  stop(): void;
}

const SILENT: Progress = { start: () => undefined, update: () => undefined, stop: () => undefined };

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

function payloadOf(done: number, total: number, rate: number): Record<string, string> {
  const known = Number.isFinite(rate) && rate > 0;
  return {
    done: formatBytes(done),
    all: formatBytes(total),
    rate: known ? `${formatBytes(rate)}/s` : '-',
    left: known ? `${formatSeconds((total - done) / rate)} left` : '-',
  };
}

/**
 * A bar on stderr when that is a terminal, else a silent one.
 * @example const progress = await createProgress(options); progress.start('download', bytes); progress.update(n);
 */
export async function createProgress(options: { readonly json?: boolean } = {}): Promise<Progress> {
  if (options.json === true || process.stderr.isTTY !== true) return SILENT;
  const { default: cliProgress } = await import('cli-progress');
  let bar: InstanceType<typeof cliProgress.SingleBar> | null = null;
  let rate = new Rate();
  let total = 0;
  const stop = (): void => {
    bar?.stop();
    bar = null;
  };
  return {
    start(label, totalBytes) {
      stop();
      total = totalBytes;
      rate = new Rate();
      bar = new cliProgress.SingleBar({
        stream: process.stderr,
        format: `${label.padEnd(10)} [{bar}] {percentage}%  {done} of {all}  {rate}  {left}`,
        barsize: 28,
        hideCursor: true,
        clearOnComplete: true,
        // The program has its own signal handling; the library's would take SIGINT away from it.
        gracefulExit: false,
      });
      bar.start(Math.max(1, totalBytes), 0, payloadOf(0, totalBytes, NaN));
    },
    update(doneBytes) {
      bar?.update(Math.min(doneBytes, Math.max(1, total)), payloadOf(doneBytes, total, rate.note(doneBytes)));
    },
    stop,
  };
}
