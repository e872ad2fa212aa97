/**
 * Running commands with a deadline: health checks, hooks, the reboot.
 * @module
 */
import { spawn } from 'node:child_process';

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
}

/** Never rejects for what the command does. */
export type CommandRunner = (request: CommandRequest) => Promise<CommandResult>;

const OUTPUT_CHARS_MAX = 4096;
const STDOUT_BYTES_MAX = 1024 * 1024;
/** How long after its end the output of a program is waited for. */
const LAST_WORDS_MS = 1000;

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
      resolve({ exitCode: null, timedOut: false, output: text, stdout: '' });
      return;
    }
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It is gone already.
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, deadlineMs);
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
    const end = (exitCode: number | null, text = ''): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
      const stdoutBytes = Buffer.concat(pieces);
      resolve({
        exitCode,
        timedOut,
        output: (output + text).trim(),
        stdout: stdoutBytes.toString('utf8'),
        stdoutBytes,
      });
    };
    child.on('error', (error) => end(null, error.message));
    // Its last words may still be in the pipe when it exits, so 'close' counts; but a grandchild that keeps the pipe open
    // must not keep us waiting.
    child.on('exit', (code) => {
      clearTimeout(timer);
      const late = setTimeout(() => end(code), LAST_WORDS_MS);
      child.once('close', () => {
        clearTimeout(late);
        end(code);
      });
    });
  });

function start({ argv, env, input }: Pick<CommandRequest, 'argv' | 'env' | 'input'>) {
  const [program, ...args] = argv;
  return spawn(program ?? '', args, {
    detached: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
}
