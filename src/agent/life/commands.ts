/**
 * Running commands with a deadline: health checks, hooks, the reboot.
 * @module
 */
import { spawn } from 'node:child_process';
import { ioCode } from '../../../native-free/errno.ts';
import { after } from '../../platform/timers.ts';

export interface CommandRequest {
  readonly argv: readonly string[];
  readonly deadlineMs: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its stdin, which is then closed; empty by default. */
  readonly input?: string;
  readonly signal?: AbortSignal;
}

export interface CommandResult {
  /** Null when it was killed or could not be started. */
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  /** The end of what it wrote to stdout and stderr, at most 4 KiB. */
  readonly output: string;
  /** What it wrote to stdout alone, from its beginning, at most 1 MiB. */
  readonly stdout: string;
  /** The same before decoding; for tools that print bytes. */
  readonly stdoutBytes?: Uint8Array;
  /** The system's word for why it could not be started ('ENOENT', 'EMFILE'). */
  readonly errno?: string;
}

/** Never rejects for what the command does. */
export type CommandRunner = (request: CommandRequest) => Promise<CommandResult>;

/** What a command says is shown in errors and reports; more than this nobody reads. */
const WORDS_CHARS_MAX = 500;

/** How a command failed, with its last words: `'fw_setenv -s -' ended with 1: cannot access MTD device`. */
export function failureOf(
  argv: readonly string[],
  { exitCode, timedOut, output }: Pick<CommandResult, 'exitCode' | 'timedOut' | 'output'>,
  deadlineMs: number,
  ended = exitCode === null ? 'was killed or could not be started' : `ended with ${exitCode}`,
): string {
  const how = timedOut ? `did not end within ${deadlineMs / 1000} s` : ended;
  return `'${argv.join(' ')}' ${how}${output === '' ? '' : `: ${output.slice(-WORDS_CHARS_MAX)}`}`;
}

const OUTPUT_CHARS_MAX = 4096;
const STDOUT_BYTES_MAX = 1024 * 1024;
/** How long after its end the output of a program is waited for, where somebody else goes on writing. */
const LAST_WORDS_MS = 1000;
/** Turns of the event loop without output after which the pipes are empty. */
const QUIET_TURNS = 5;

/** In a process group of its own, so that at the deadline its children die with it. */
export const runCommand: CommandRunner = ({ argv, deadlineMs, env, input, signal }) =>
  new Promise((resolve) => {
    let output = '';
    const pieces: Buffer[] = [];
    let pieceBytes = 0;
    let timedOut = false;
    let child: ReturnType<typeof start>;
    try {
      child = start({ argv, env, input });
    } catch (error) {
      // An argument or a variable that the system cannot take, such as one with a NUL in it.
      const text = error instanceof Error ? error.message : String(error);
      resolve({ exitCode: null, timedOut: false, output: text, stdout: '', errno: ioCode(error) });
      return;
    }
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It is gone already.
      }
    };
    const timer = after(deadlineMs, () => {
      timedOut = true;
      kill();
    });
    signal?.addEventListener('abort', kill, { once: true });
    const take = (data: Buffer): void => {
      // It goes into messages, and those into variables of hooks, which cannot hold a NUL.
      output = (output + data.toString('utf8').replaceAll('\0', ' ')).slice(-OUTPUT_CHARS_MAX);
    };
    // A program that does not read its input closes the pipe: its exit code says what that means.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    child.stdout?.on('data', (data: Buffer) => {
      take(data);
      if (pieceBytes >= STDOUT_BYTES_MAX) return;
      pieces.push(data.subarray(0, STDOUT_BYTES_MAX - pieceBytes));
      pieceBytes += data.length;
    });
    child.stderr?.on('data', take);
    const end = (exitCode: number | null, text = '', errno?: string): void => {
      timer.cancel();
      signal?.removeEventListener('abort', kill);
      // A process that it left behind may hold these for hours, and with them this one.
      child.stdout?.destroy();
      child.stderr?.destroy();
      const stdoutBytes = Buffer.concat(pieces);
      resolve({
        exitCode,
        timedOut,
        output: (output + text).trim(),
        stdout: stdoutBytes.toString('utf8'),
        stdoutBytes,
        errno,
      });
    };
    child.on('error', (error) => end(null, error.message, ioCode(error)));
    child.on('exit', (code) => {
      timer.cancel();
      lastWords(child, () => end(code));
    });
  });

/**
 * Calls `done` when all that the program has written was read. Node may tell its exit before that, so the end of the
 * pipes is waited for; but a process that it left behind keeps them open, and must not keep us waiting. What the program
 * itself wrote stands in the pipe when it exits, and each turn of the event loop reads what stands there: once some turns
 * in a row brought nothing, it is all read. No clock is asked, so a busy machine loses nothing.
 */
function lastWords(child: ReturnType<typeof start>, done: () => void): void {
  let quietTurns = 0;
  let isOver = false;
  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    late.cancel();
    done();
  };
  const late = after(LAST_WORDS_MS, finish);
  const heard = (): void => void (quietTurns = 0);
  child.stdout?.on('data', heard);
  child.stderr?.on('data', heard);
  child.once('close', finish);
  const turn = (): void => {
    if (isOver) return;
    if (++quietTurns > QUIET_TURNS) finish();
    else setImmediate(turn);
  };
  setImmediate(turn);
}

function start({ argv, env, input }: Pick<CommandRequest, 'argv' | 'env' | 'input'>) {
  const [program, ...args] = argv;
  return spawn(program ?? '', args, {
    detached: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
}
