/**
 * What performs tasks: a pool of threads, or the caller's own.
 *
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';
import type { Task, TaskOutcome, TaskResults } from './tasks.ts';

/** Accumulates the CPU seconds of one job. */
export interface CpuMeter {
  seconds: number;
}

export interface TaskContext {
  readonly signal?: AbortSignal | undefined;
  readonly cpu: CpuMeter;
}

export interface TaskRunner {
  /**
   * Perform one task.
   * @throws UpdateError that of the task, aborted, memory_exceeded, bug
   */
  run<T extends Task>(task: T, context: TaskContext): Promise<TaskResults[T['kind']]>;
}

/** What a task gave, its time counted. Throws the UpdateError that it ended with. */
export function resultOf<T extends Task>(outcome: TaskOutcome<unknown>, cpu: CpuMeter): TaskResults[T['kind']] {
  cpu.seconds += outcome.cpuSeconds;
  if (outcome.failure !== undefined) {
    const { code, message, detail } = outcome.failure;
    throw new UpdateError(code, message, { detail });
  }
  return outcome.result as TaskResults[T['kind']];
}
