/**
 * A boot loader that only the board's own program knows how to tell. Its verbs are those of RAUC's custom backend:
 * `get-primary`, `set-primary SLOT`, `get-state SLOT`, `set-state SLOT good|bad`, `get-current`. A program that counts
 * tries also answers `get-tries SLOT`, once the configuration says how many there are.
 *
 * The program answers for the next boot: a slot whose tries are used up is neither primary nor good.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import { requireKept, slotActive, type BootControl, type BootState } from './control.ts';
import { readBootId, type RunningOptions } from './running-slot.ts';
import { count } from './scheme.ts';
import { runTool, type BootTool } from './tool.ts';

export interface CommandBootOptions {
  readonly slots: readonly string[];
  readonly hook: BootTool;
  /** Tries of an armed slot, where the program tells them; else null. */
  readonly tries: number | null;
  readonly running: RunningOptions;
}

export class CommandBootControl implements BootControl {
  readonly slots: readonly string[];
  readonly needsReboot = true;
  readonly triesMax: number;
  readonly #options: CommandBootOptions;
  /** The slot that was confirmed by this process. */
  #confirmed: string | null = null;

  constructor(options: CommandBootOptions) {
    this.slots = options.slots;
    this.triesMax = options.tries ?? 1;
    this.#options = options;
  }

  async read(): Promise<BootState> {
    const running = await this.#slot('get-current');
    const primary = await this.#slot('get-primary');
    const tries: Record<string, number> = {};
    for (const slot of this.slots) tries[slot] = await this.#tries(slot, running);
    const others = this.slots.filter((slot) => slot !== primary);
    return { running, bootId: await readBootId(this.#options.running), order: [primary, ...others], tries };
  }

  async markUnbootable(slot: string): Promise<void> {
    const running = await this.#slot('get-current');
    if (running === slot) throw slotActive(slot);
    if ((await this.#slot('get-primary')) === slot) await this.#setPrimary(running);
    await this.#setState(slot, 'bad');
  }

  async arm(slot: string): Promise<void> {
    const running = await this.#slot('get-current');
    if (running === slot) throw slotActive(slot);
    // The slot that runs now is the way back.
    await this.#setState(running, 'good');
    // Even where it is primary: that gives it its tries again.
    await this.#setPrimary(slot);
    if (this.#options.tries === null) return;
    requireKept(`tries of ${slot}`, String(this.triesMax), String(await this.#tries(slot, running)));
  }

  /** Even where it is good: that gives it its tries again. */
  async markGood(slot: string): Promise<void> {
    await this.#setState(slot, 'good');
    if ((await this.#slot('get-primary')) !== slot) await this.#setPrimary(slot);
    this.#confirmed = slot;
  }

  async rollBack(from: string, to: string): Promise<void> {
    await this.#setState(to, 'good');
    if ((await this.#slot('get-primary')) !== to) await this.#setPrimary(to);
    await this.#setState(from, 'bad');
  }

  async #setPrimary(slot: string): Promise<void> {
    await this.#tell('set-primary', slot);
    requireKept('primary slot', slot, await this.#slot('get-primary'));
  }

  async #setState(slot: string, state: 'good' | 'bad'): Promise<void> {
    await this.#tell('set-state', slot, state);
    requireKept(`state of ${slot}`, state, await this.#state(slot));
  }

  /** Tries that the program keeps to itself: the running slot has used one up until it was confirmed. */
  async #tries(slot: string, running: string): Promise<number> {
    if (this.#options.tries !== null) return count(await this.#tell('get-tries', slot));
    if (slot === running && this.#confirmed !== slot) return 0;
    return (await this.#state(slot)) === 'good' ? 1 : 0;
  }

  async #state(slot: string): Promise<string> {
    const state = await this.#tell('get-state', slot);
    if (state === 'good' || state === 'bad') return state;
    throw this.#strange(`get-state ${slot}`, state, 'good or bad');
  }

  async #slot(verb: 'get-current' | 'get-primary'): Promise<string> {
    const slot = await this.#tell(verb);
    if (this.slots.includes(slot)) return slot;
    throw this.#strange(verb, slot, this.slots.join(' or '));
  }

  async #tell(...args: readonly string[]): Promise<string> {
    return (await runTool(this.#options.hook, args)).trim();
  }

  #strange(question: string, answer: string, wanted: string): UpdateError {
    const { argv } = this.#options.hook;
    const shown = answer.slice(0, 100);
    return new UpdateError('boot_unreadable', `'${argv.join(' ')} ${question}' answered '${shown}', not ${wanted}`);
  }
}
