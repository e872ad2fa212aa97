/**
 * The receiving end of sd_notify(3), in Python: Node cannot open such a socket, and it is good that the other side is
 * not ours.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { temporaryFolder } from '../../support/release.ts';

const missing = ['python3', 'systemd-notify'].filter((program) => spawnSync(program, ['--version']).status !== 0);
/** Why tests with a receiver are skipped, or null. */
export const receiverMissing = missing.length === 0 ? null : `(skipped: no ${missing.join(', no ')})`;

// The file descriptor that comes with a barrier is closed by the kernel, since no room is made for it; the sender waits
// for just that.
const PROGRAM = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    print(s.recv(65536).decode().rstrip(), flush=True)
`;

export interface NotifyReceiver {
  readonly socket: string;
  /** Without those that only wait for the others to be read. */
  readonly messages: readonly string[];
  count(message: string): number;
}

/** Ends with the child, which is put into `children`. */
export async function notifyReceiver(children: ChildProcess[]): Promise<NotifyReceiver> {
  const socket = join(temporaryFolder(), 'notify');
  const child = spawn('python3', ['-c', PROGRAM, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    lines.push(...parts.filter((line) => line !== 'BARRIER=1' && line !== 'listening'));
  });
  await once(child.stdout, 'data');
  return { socket, messages: lines, count: (message) => lines.filter((line) => line === message).length };
}
