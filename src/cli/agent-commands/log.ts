/**
 * The agent's log on stderr: words for people, or one JSON object per line for whatever collects logs.
 *
 * A few lines per attempt do not need a logging library: pino, bundled, is 63 kB of program and 1.2 MiB of memory.
 * @module
 */
import { monotonicMs } from '../../platform/timers.ts';
import type { AgentEvent, Attempt, State } from '../../agent/index.ts';
import { UpdateError } from '../../../native-free/status.ts';

export type LogFormat = 'text' | 'json';

/** Throws `usage_invalid`. */
export function logFormat(text: string): LogFormat {
  if (text === 'text' || text === 'json') return text;
  throw new UpdateError('usage_invalid', `--log must be text or json, not '${text}'`);
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  /** In words. */
  readonly message: string;
  readonly [field: string]: unknown;
}

/** What is worth a line; null for the rest. */
function lineOf(event: AgentEvent): LogLine | null {
  switch (event.type) {
    case 'state':
      return { level: 'info', event: 'state', message: event.state };
    case 'wait': {
      const seconds = (event.delayMs / 1000).toFixed(1);
      const { delayMs, failures, error } = event;
      const message = `link: ${error.message}; waiting ${seconds} s`;
      return { level: 'warn', event: 'wait', message, delayMs, failures, ...fieldsOf(error) };
    }
    case 'note': {
      const { message, error } = event;
      if (error === undefined) return { level: 'info', event: 'note', message };
      return { level: error.code === 'bug' ? 'error' : 'warn', event: 'note', message, ...fieldsOf(error) };
    }
    case 'progress': {
      const { type, ...figures } = event;
      const message = `segment ${event.segmentsDone} of ${event.segments}`;
      return { level: 'debug', event: type, message, ...figures };
    }
    case 'bytes':
      return null;
  }
}

const fieldsOf = ({ code, status, outcome, retryable }: UpdateError): Record<string, unknown> => ({
  code,
  status,
  outcome,
  retryable,
});

export interface LogOptions {
  readonly format: LogFormat;
  readonly write: (line: string) => void;
  readonly nowMs?: () => number;
  /** At most one line about progress in this time. Default 10,000. */
  readonly progressMs?: number;
}

export class Log {
  readonly #options: LogOptions;
  readonly #nowMs: () => number;
  #state: State = 'IDLE';
  #progressAtMs = -Infinity;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => Date.now());
  }

  event(event: AgentEvent, attempt: Attempt | null = null): void {
    if (event.type === 'state') this.#state = event.state;
    const line = lineOf(event);
    if (line === null) return;
    if (event.type === 'progress' && !this.#progressIsDue(event)) return;
    this.line(line, attempt);
  }

  line({ level, event, message, ...fields }: LogLine, attempt: Attempt | null = null): void {
    const { format, write } = this.#options;
    // People have a progress bar, or do not look.
    if (format === 'text') {
      if (level !== 'debug') write(message);
      return;
    }
    const time = new Date(this.#nowMs()).toISOString();
    const about = attempt === null ? {} : { action: attempt.actionId, version: attempt.release.version };
    write(JSON.stringify({ time, level, event, state: this.#state, ...about, message, ...fields }));
  }

  #progressIsDue({ segmentsDone, segments }: { segmentsDone: number; segments: number }): boolean {
    const atMs = monotonicMs();
    if (segmentsDone < segments && atMs - this.#progressAtMs < (this.#options.progressMs ?? 10_000)) return false;
    this.#progressAtMs = atMs;
    return true;
  }
}
