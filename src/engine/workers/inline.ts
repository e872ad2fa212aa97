/**
 * Tasks on the caller's thread, for images that are so small that a thread of its own costs more than their work.
 *
 * @module
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { throwIfAborted } from '../admission.ts';
import { resultOf, type TaskContext, type TaskRunner } from './runner.ts';
import type { Task, TaskResults } from './tasks.ts';

/** One task after the other, as on a worker thread; an abort takes effect between two. */
export class InlineTasks implements TaskRunner {
  #last: Promise<unknown> = Promise.resolve();

  run<T extends Task>(task: T, context: TaskContext): Promise<TaskResults[T['kind']]> {
    const turn = this.#last.then(() => perform(task, context));
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

async function perform<T extends Task>(task: T, { signal, cpu }: TaskContext): Promise<TaskResults[T['kind']]> {
  // Signals and timers get their turn here, or not at all.
  await breathe();
  throwIfAborted(signal);
  const { default: run } = await import('./worker.ts');
  return resultOf<T>(await run(task), cpu);
}
