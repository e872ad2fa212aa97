/**
 * The engine's worker threads: piscina, plus what it leaves to its user: errors that keep their code, CPU time, and a
 * crashed thread that fails its task instead of the process.
 *
 * @module
 */
import { Piscina } from 'piscina';
import { codeOfErrno, ioCode } from '../../../native-free/errno.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { abortedError, throwIfAborted } from '../admission.ts';
import { isAllocationFailure } from '../memory-plan.ts';
import type { Task, TaskOutcome, TaskResults } from './tasks.ts';

/** Accumulates the CPU seconds of one job. */
export interface CpuMeter {
  seconds: number;
}

export interface TaskContext {
  readonly signal?: AbortSignal | undefined;
  readonly cpu: CpuMeter;
}

/** Heap bound of one thread: covers of a window are objects, everything large is outside of the heap. */
const HEAP_MIB_MAX = 1024;

export class WorkerPool {
  readonly #pool: Piscina<Task, TaskOutcome<unknown>>;
  #closed = false;

  constructor(filename: string, workers: number) {
    this.#pool = new Piscina({
      filename,
      minThreads: 0,
      maxThreads: workers,
      idleTimeout: 10_000,
      // Loaders and flags of a test runner are not for compiled workers.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    });
    // A thread that dies between tasks has failed nobody; without a listener it would take the process down.
    this.#pool.on('error', () => undefined);
  }

  /**
   * Run one task. An abort kills the thread it runs on, so it takes effect at once.
   * Throws UpdateError: that of the task, `aborted`, `memory_exceeded` when the thread ran out, `bug` when it crashed.
   */
  async run<T extends Task>(task: T, context: TaskContext): Promise<TaskResults[T['kind']]> {
    const { signal, cpu } = context;
    throwIfAborted(signal);
    let outcome: TaskOutcome<unknown>;
    try {
      outcome = await this.#pool.run(task, signal === undefined ? {} : { signal });
    } catch (error) {
      throw this.#crash(error, task.kind, signal);
    }
    cpu.seconds += outcome.cpuSeconds;
    if (outcome.failure !== undefined) {
      const { code, message, detail } = outcome.failure;
      throw new UpdateError(code, message, { detail });
    }
    return outcome.result as TaskResults[T['kind']];
  }

  #crash(error: unknown, kind: string, signal?: AbortSignal): UpdateError {
    if (signal?.aborted === true) return abortedError(signal);
    if (this.#closed) return new UpdateError('aborted', 'the engine was closed', { cause: error });
    const text = error instanceof Error ? error.message : String(error);
    const code = (error as NodeJS.ErrnoException)?.code;
    if (code === 'ERR_WORKER_OUT_OF_MEMORY' || isAllocationFailure(error)) {
      return new UpdateError('memory_exceeded', `a worker ran out of memory in a ${kind} task`, { cause: error });
    }
    const meaning = codeOfErrno(ioCode(error), 'bug');
    return new UpdateError(meaning, `a worker died in a ${kind} task: ${text}`, { cause: error, detail: { kind } });
  }

  /** End all threads; running tasks end as `aborted`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool.destroy();
  }
}
