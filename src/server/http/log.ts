/**
 * The server's log: one JSON object a line, with the fields and the level names of the agent's log, so that one
 * collector reads both.
 * @module
 */
import { writeSync } from 'node:fs';
import { pino, stdTimeFunctions, type Logger } from 'pino';
import { UpdateError } from '../../../native-free/status.ts';
import { after, type Timer } from '../../platform/timers.ts';

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/** Handed over when so much is waiting, or so late. */
const BATCH_CHARS = 4096;
const BATCH_MS = 1000;
/** What cannot be written is kept up to here, then lost. */
const KEPT_BYTES_MAX = 64 * 1024;

/**
 * Writes lines in batches. A full disk or a reader that has gone costs lines, never the service, and never its end:
 * sonic-boom, pino's own, tries for ever to write the rest at the exit.
 */
export class LineBatches {
  readonly #fd: number;
  #text = '';
  #kept: Buffer = Buffer.alloc(0);
  #timer: Timer | null = null;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(line: string): void {
    this.#text += line;
    if (this.#text.length >= BATCH_CHARS) this.flush();
    else this.#timer ??= after(BATCH_MS, () => this.flush()).unref();
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const bytes = Buffer.concat([this.#kept, Buffer.from(this.#text)]);
    this.#text = '';
    let done = 0;
    try {
      while (done < bytes.length) done += writeSync(this.#fd, bytes, done);
    } catch {
      // The rest goes with the next batch.
    }
    const left = bytes.subarray(done);
    this.#kept = left.length > KEPT_BYTES_MAX ? Buffer.alloc(0) : left;
  }
}

/** Writes to stderr; what is left goes out when the process ends. */
export function createLogger(level: LogLevel): Logger {
  const destination = new LineBatches(2);
  process.on('exit', () => destination.flush());
  return pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
    },
    destination,
  );
}

/** The fields of an error; the stack only of what is a bug of ours. */
export function errorFields(error: unknown): Record<string, unknown> {
  const known = UpdateError.from(error);
  const { code, status, outcome, retryable } = known;
  const causes: string[] = [];
  for (let cause = known.cause; cause instanceof Error && causes.length < 5; cause = cause.cause) {
    causes.push(cause.message);
  }
  const stack = known.cause instanceof Error && !UpdateError.is(known.cause) ? known.cause.stack : known.stack;
  return { code, number: status, outcome, retryable, reason: known.message, causes, ...(code === 'bug' && { stack }) };
}
