/**
 * Long work in steps: a generator that stands still now and then, so that who drives it can let other things happen.
 * @module
 */

/** Work that yields at least every few milliseconds. */
export type Steps<T> = Generator<void, T>;

/** Does all of it at once. */
export function allAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
