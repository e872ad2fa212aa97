/**
 * The real programs over an emulated radio link in network namespaces, for a few cuts: an address that changes in the
 * middle of the download, a reset, an outage. `npm run bench:link` does it fifty times on a slow link.
 */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { missing } from '../../bench/link/cell.ts';
import { runScenario } from '../../bench/link/scenario.ts';

const built = new URL('../../dist/engraft-agent.mjs', import.meta.url).pathname;
const why = missing() ?? (existsSync(built) ? null : 'dist/ was not built');

test.skipIf(why !== null)(
  `a reset, a new address and an outage: every payload byte is taken once${why === null ? '' : ` (skipped: ${why})`}`,
  async () => {
    const radio = { rateBps: 200_000, delayMs: 60, loss: 0.01, queueBytes: 64 * 1024, seed: 5 };
    const said: string[] = [];
    const outcome = await runScenario({ name: 'test', radio, imageBytes: 250_000, cuts: 3 }, (text) => said.push(text));
    expect(outcome.identical, said.join('\n')).toBe(true);
    expect(outcome.cuts).toEqual({ reset: 1, 'address change': 1, outage: 1 });
    expect(outcome.waits).toBeGreaterThanOrEqual(3);
    expect(outcome.wireBytes).toBe(outcome.payloadBytes);
  },
  120_000,
);
