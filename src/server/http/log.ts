/**
 * The server's log: one JSON object a line, with the fields and the level names of the agent's log, so that one
 * collector reads both.
 * @module
 */
import { pino, stdTimeFunctions, type Logger } from 'pino';
import { UpdateError } from '../../../native-free/status.ts';

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/**
 * Writes to stderr. Lines are handed over in batches; what is left goes out when the process ends. A full disk behind
 * stderr costs lines, never the service.
 */
export function createLogger(level: LogLevel): Logger {
  const destination = pino.destination({
    fd: 2,
    sync: false,
    periodicFlush: 1000,
    minLength: 4096,
    maxLength: 2 ** 20,
  });
  destination.on('error', () => undefined);
  process.on('exit', () => {
    try {
      destination.flushSync();
    } catch {
      // Nobody can be told any more.
    }
  });
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
