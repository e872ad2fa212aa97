/**
 * Running the programs that the corpus needs (npm, apt-get, dpkg-deb, ...), with errors that say which one failed.
 * @module
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { UpdateError, type StatusCode } from '../native-free/status.ts';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** The code of the error when the program fails; a failed download is `link_failed`. */
  readonly code?: StatusCode;
}

const STDERR_CHARACTERS_KEPT = 2000;

/** Run a program to its end; its standard output as bytes. Throws UpdateError when it cannot start or fails. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Buffer> {
  const child = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  await finished(child, program, args, options.code);
  return Buffer.concat(pieces);
}

/** Resolves when the child has ended well; rejects with the last lines of its standard error when it has not. */
export function finished(
  child: ChildProcess,
  program: string,
  args: readonly string[],
  code: StatusCode = 'link_failed',
): Promise<void> {
  let complaints = '';
  child.stderr?.on('data', (piece: Buffer) => {
    complaints = (complaints + piece.toString()).slice(-STDERR_CHARACTERS_KEPT);
  });
  return new Promise((resolve, reject) => {
    child.on('error', (cause) =>
      reject(new UpdateError(code, `${program} could not be started: ${cause.message}`, { cause })),
    );
    child.on('close', (status, signal) => {
      if (status === 0) resolve();
      else {
        const end = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
        reject(new UpdateError(code, `${program} ${args.join(' ')} ${end}: ${complaints.trim()}`));
      }
    });
  });
}
