/**
 * One emulated arm64 board: QEMU without any acceleration, its serial console kept in a file and watched for markers.
 *
 * One QEMU is one power cycle of the board from switching it on to pulling the plug; reboots happen inside it.
 * @module
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { UpdateError } from '../native-free/status.ts';

export interface BoardFiles {
  readonly uboot: string;
  readonly disk: string;
  readonly card: string;
  /** Text of the serial console is added to this file, each line with the seconds since power-on. */
  readonly log: string;
  /** Where the writes of disk and card are recorded, in the format of dm-log-writes. */
  readonly writeLogs?: { readonly disk: string; readonly card: string };
}

const MEMORY_MIB = 1024;
const LINES_KEPT = 20_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

export class Machine {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #started = performance.now();
  readonly #ended: Promise<void>;
  readonly #log: string;
  #partial = '';
  #isEnded = false;
  #complaints = '';
  #wake = (): void => undefined;

  constructor(files: BoardFiles) {
    this.#log = files.log;
    this.#child = spawn('qemu-system-aarch64', argumentsOf(files), { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.#child);
    this.#child.stdout!.on('data', (piece: Buffer) => this.#take(piece.toString('latin1')));
    this.#child.stderr!.on('data', (piece: Buffer) => (this.#complaints = (this.#complaints + piece).slice(-2000)));
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#isEnded = true;
        running.delete(this.#child);
        this.#wake();
        resolve();
      };
      this.#child.on('close', end).on('error', ({ message }) => {
        this.#complaints = message;
        end();
      });
    });
  }

  /** Seconds since power-on. */
  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  /** The first line from number `from` on that matches, with its number. Throws after `timeoutSeconds`. */
  async waitFor(pattern: RegExp, timeoutSeconds: number, from = 0): Promise<{ line: string; index: number }> {
    const until = performance.now() + timeoutSeconds * 1000;
    for (let next = from; ;) {
      for (; next < this.lines.length; next++)
        if (pattern.test(this.lines[next]!)) return { line: this.lines[next]!, index: next };
      const left = until - performance.now();
      if (this.#isEnded || left <= 0) {
        const why = this.#isEnded ? `QEMU ended: ${this.#complaints}` : `not within ${timeoutSeconds} s`;
        throw new UpdateError('input_unreadable', `the console never showed ${pattern} (${why}); log: ${this.#log}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Pull the plug: nothing in the board's memory survives. */
  async cut(): Promise<void> {
    if (this.#isEnded) return;
    this.#child.kill('SIGKILL');
    await this.#ended;
    appendFileSync(this.#log, `${this.seconds.toFixed(1).padStart(7)} --- power cut ---\n`);
  }

  #take(text: string): void {
    const lines = (this.#partial + text).split(/\r*\n/);
    this.#partial = lines.pop()!;
    const stamp = this.seconds.toFixed(1).padStart(7);
    for (const line of lines) {
      const plain = line.replace(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, '');
      appendFileSync(this.#log, `${stamp} ${plain}\n`);
      if (this.lines.length < LINES_KEPT) this.lines.push(plain);
    }
    this.#wake();
  }
}

function argumentsOf({ uboot, disk, card, writeLogs }: BoardFiles): string[] {
  const args = [
    '-M',
    'virt',
    '-cpu',
    'cortex-a57',
    '-accel',
    'tcg,thread=multi',
    '-smp',
    '2',
    '-m',
    String(MEMORY_MIB),
  ];
  args.push('-nographic', '-nodefaults', '-serial', 'stdio', '-monitor', 'none', '-bios', uboot);
  args.push('-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile=');
  args.push('-device', 'virtio-rng-pci', '-device', 'sdhci-pci');
  args.push(...drive('disk', disk, writeLogs?.disk), '-device', 'virtio-blk-pci,drive=disk');
  args.push(...drive('card', card, writeLogs?.card), '-device', 'sd-card,drive=card');
  return args;
}

/** A raw file as a block device, with a recorder of its writes in front of it where one is wanted. */
function drive(name: string, path: string, writeLog: string | undefined): string[] {
  const blockdev = (options: object): string[] => ['-blockdev', JSON.stringify(options)];
  const file = { driver: 'raw', file: { driver: 'file', filename: path } };
  if (writeLog === undefined) return blockdev({ ...file, 'node-name': name });
  const log = { driver: 'raw', file: { driver: 'file', filename: writeLog } };
  return blockdev({ driver: 'blklogwrites', 'node-name': name, file, log, 'log-sector-size': 512 });
}
