/**
 * Where the time of a payload goes: wall and CPU seconds of each phase, for whoever looks for what to make faster.
 *
 * CPU is that of the whole process, so all worker threads are in it; phases follow each other, and what runs between two
 * of them counts for the earlier.
 * @module
 */

/** Seconds of a phase. */
export interface PhaseSeconds {
  readonly phase: string;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

export class PhaseTimings {
  readonly #spent = new Map<string, { wallSeconds: number; cpuSeconds: number }>();
  readonly #wallOf: () => number;
  readonly #cpuOf: () => number;
  #phase: string;
  #wall: number;
  #cpu: number;

  /** `wallOf` and `cpuOf` tell seconds since a fixed time; `first` is what runs until a phase is noted. */
  constructor(first: string, wallOf = () => performance.now() / 1000, cpuOf = processCpuSeconds) {
    this.#wallOf = wallOf;
    this.#cpuOf = cpuOf;
    this.#phase = first;
    this.#wall = wallOf();
    this.#cpu = cpuOf();
  }

  /** `phase` runs from now on. */
  note(phase: string): void {
    if (phase === this.#phase) return;
    this.#end();
    this.#phase = phase;
  }

  /** All phases so far, in the order in which they began. */
  seconds(): PhaseSeconds[] {
    this.#end();
    return [...this.#spent].map(([phase, spent]) => ({ phase, ...spent }));
  }

  #end(): void {
    const [wall, cpu] = [this.#wallOf(), this.#cpuOf()];
    const spent = this.#spent.get(this.#phase) ?? { wallSeconds: 0, cpuSeconds: 0 };
    spent.wallSeconds += wall - this.#wall;
    spent.cpuSeconds += cpu - this.#cpu;
    this.#spent.set(this.#phase, spent);
    [this.#wall, this.#cpu] = [wall, cpu];
  }
}

function processCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
