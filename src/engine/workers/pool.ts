/**
 * The engine's worker threads: piscina, plus what it leaves to its user: errors that keep their code, CPU time, and a
 * crashed thread that fails its task instead of the process.
 *
 * @module
 */
import type { Piscina } from 'piscina';
import { codeOfErrno, ioCode } from '../../../native-free/errno.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { abortedError, throwIfAborted } from '../admission.ts';
import { isAllocationFailure } from '../memory-plan.ts';
import { resultOf, type TaskContext, type TaskRunner } from './runner.ts';
import type { Task, TaskOutcome, TaskResults } from './tasks.ts';

/** Heap bound of one thread: covers of a window are objects, everything large is outside of the heap. */
const HEAP_MIB_MAX = 1024;

type Threads = Piscina<Task, TaskOutcome<unknown>>;

export class WorkerPool implements TaskRunner {
  readonly #filename: string;
  readonly #workers: number;
  #threads: Promise<Threads> | undefined;
  #closed = false;

  /** @param filename a compiled module; the first task loads it */
  constructor(filename: string, workers: number) {
    this.#filename = filename;
    this.#workers = workers;
  }

  async #start(): Promise<Threads> {
    const { Piscina: Pool } = await import('piscina');
    const threads: Threads = new Pool({
      filename: this.#filename,
      minThreads: 0,
      maxThreads: this.#workers,
      idleTimeout: 10_000,
      // Loaders and flags of a test runner are not for compiled workers.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    });
    // A thread that dies between tasks has failed nobody; without a listener it would take the process down.
    threads.on('error', () => undefined);
    return threads;
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
      const threads = await (this.#threads ??= this.#start());
      if (this.#closed) throw new Error('the threads have ended');
      outcome = await threads.run(task, signal === undefined ? {} : { signal });
    } catch (error) {
      throw this.#crash(error, task.kind, signal);
    }
    return resultOf<T>(outcome, cpu);
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
    await (await this.#threads)?.destroy();
  }
}
