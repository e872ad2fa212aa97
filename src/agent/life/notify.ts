/**
 * Talking to the service manager: readiness, a line of status, and the watchdog (sd_notify(3), systemd).
 *
 * Node has no datagram sockets of the Unix family, so every message is one run of `systemd-notify`: 14 ms, 2 ms of them
 * CPU time of the agent, measured on a desktop machine; at one beat a minute that is nothing, and no helper process has
 * to be kept alive and watched in its turn. Without a service manager nothing is sent.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { every, type Timer } from '../../platform/timers.ts';
import { failureOf, type CommandRunner } from './commands.ts';
import type { Pulse } from './watchdog.ts';

const SEND_DEADLINE_MS = 10_000;
/** Two lost beats in a row are no reason to be killed. */
const BEATS_PER_PERIOD = 3;
const STATUS_CHARS_MAX = 200;

export interface NotifierOptions {
  readonly run: CommandRunner;
  readonly socket: string;
  /** How often the service manager wants to hear that we live; null when it does not. */
  readonly watchdogMs: number | null;
  /** Told once each: the first message that could not be sent, and every time the beat stops or goes on. */
  readonly onProblem: (error: UpdateError) => void;
}

/**
 * From the environment that the service manager gave this process. It is taken out of `env`, as sd_notify(3) advises:
 * no hook or health check shall speak for the agent by accident. Null without a service manager.
 */
export function notifierOf(
  env: Record<string, string | undefined>,
  pid: number,
  parts: Pick<NotifierOptions, 'run' | 'onProblem'>,
): Notifier | null {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: forPid } = env;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  if (socket === undefined || socket === '') return null;
  const period = Number(usec ?? '');
  const wanted = Number.isSafeInteger(period) && period > 0 && (forPid === undefined || forPid === String(pid));
  return new Notifier({ ...parts, socket, watchdogMs: wanted ? period / 1000 : null });
}

export class Notifier {
  readonly #options: NotifierOptions;
  #timer: Timer | null = null;
  /** Messages go out one after the other: the last status has to be the last one sent. */
  #last: Promise<void> = Promise.resolve();
  #beating = false;
  #failed = false;
  #stuck = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  ready(): Promise<void> {
    return this.#send('READY=1');
  }

  status(text: string): Promise<void> {
    return this.#send(`STATUS=${text.replace(/\s+/g, ' ').slice(0, STATUS_CHARS_MAX)}`);
  }

  /** No more beats; the service manager's time limit for stopping holds from here on. */
  stopping(): Promise<void> {
    this.stopBeating();
    return this.#send('STOPPING=1');
  }

  /** Feed the watchdog for as long as `pulse` is alive. */
  beatWith(pulse: Pulse): void {
    const { watchdogMs } = this.#options;
    if (watchdogMs === null || this.#timer !== null) return;
    this.#timer = every(watchdogMs / BEATS_PER_PERIOD, () => this.#tick(pulse)).unref();
  }

  stopBeating(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Resolves when all messages are out. */
  flush(): Promise<void> {
    return this.#last;
  }

  #tick(pulse: Pulse): void {
    if (!pulse.alive) {
      if (!this.#stuck) {
        const seconds = Math.round(pulse.silentMs / 1000);
        const message = `no progress for ${seconds} s: the watchdog is not fed any more`;
        this.#options.onProblem(new UpdateError('bug', message, { detail: { silentMs: pulse.silentMs } }));
      }
      this.#stuck = true;
      return;
    }
    this.#stuck = false;
    if (this.#beating) return;
    this.#beating = true;
    void this.#send('WATCHDOG=1').finally(() => (this.#beating = false));
  }

  #send(message: string): Promise<void> {
    this.#last = this.#last.then(() => this.#sendNow(message));
    return this.#last;
  }

  /** Not with --no-block: systemd finds the unit by the sender's process, which has to live until it has looked. */
  async #sendNow(message: string): Promise<void> {
    const { run, socket } = this.#options;
    const argv = ['systemd-notify', message];
    const result = await run({ argv, deadlineMs: SEND_DEADLINE_MS, env: { NOTIFY_SOCKET: socket } });
    if (result.exitCode === 0 || this.#failed) return;
    this.#failed = true;
    const { exitCode } = result;
    this.#options.onProblem(
      new UpdateError('hook_failed', failureOf(argv, result, SEND_DEADLINE_MS), { detail: { exitCode } }),
    );
  }
}
