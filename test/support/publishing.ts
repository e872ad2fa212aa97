/** What tests of publishing through a server share. */
import { setTimeout as delay } from 'node:timers/promises';
import { sha256Hex } from '../../src/platform/hash.ts';

export { clientOf, startServer } from './server.ts';
export { plainMaker, publisher, tufClient } from './release.ts';
import { imageOf as madeImage } from './release.ts';

export const sha256Of = sha256Hex;

/** As uploads take it. */
export const imageOf = (version: number, bytes?: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(madeImage(version, bytes));

/** Asks until it holds; rejects after half a minute. */
export async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  const giveUp = Date.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (Date.now() > giveUp) throw new Error(`waited in vain; the last answer: ${JSON.stringify(answer)}`);
    await delay(10);
  }
}
