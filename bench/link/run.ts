/**
 * `npm run bench:link [-- --all] [-- --write] [-- --verbose]`: what an update costs on a bad link. Real programs over an
 * emulated radio link in network namespaces, cut 50 times in three ways.
 *
 * Exits with 1 when an image came out wrong, or when the agent took more than 1.02 times the payload from the link.
 * @module
 */
import { parseArgs } from 'node:util';
import { machineFacts, markdownTable, writeResults } from '../harness.ts';
import { missing } from './cell.ts';
import { CUTS, IDLE_SECONDS, OUTAGE_MS, runScenario, type Outcome, type Scenario } from './scenario.ts';

const FACTOR_MAX = 1.02;

/** A modem's deep buffer: nothing is dropped in it, everything waits. */
const QUEUE_BYTES = 64 * 1024;
const CELL = { rateBps: 60_000, delayMs: 300, loss: 0.02, queueBytes: QUEUE_BYTES };
const LTE = { rateBps: 1_000_000, delayMs: 50, loss: 0.01, queueBytes: QUEUE_BYTES };

const SCENARIOS: readonly (Scenario & { readonly long?: boolean })[] = [
  { name: '60 kbit/s, 300 ms, 2 %, not cut', radio: { ...CELL, seed: 1 }, imageBytes: 150_000, cuts: 0 },
  { name: '60 kbit/s, 300 ms, 2 %', radio: { ...CELL, seed: 2 }, imageBytes: 450_000, cuts: 50 },
  { name: '60 kbit/s, 300 ms, 2 %', radio: { ...CELL, seed: 3 }, imageBytes: 3_000_000, cuts: 50, long: true },
  { name: '1 Mbit/s, 50 ms, 1 %', radio: { ...LTE, seed: 4 }, imageBytes: 8_000_000, cuts: 50, long: true },
];

const count = (value: number): string => value.toLocaleString('en');

const HEAD = [
  'link, each way',
  'cuts',
  'payload',
  'taken by the agent',
  'factor',
  'reached the device (TCP)',
  'factor',
  'again (TCP)',
  'of no use, per cut: RST',
  'address',
  'outage',
  'IP bytes down + up',
  'factor',
  'seconds',
];

function row({ name }: Scenario, outcome: Outcome): string[] {
  const { payloadBytes, wireBytes, link, cuts, seconds, losses } = outcome;
  const reached = link.down.tcp_bytes - link.down.tcp_bytes_again;
  const ipBytes = link.down.ip_bytes + link.up.ip_bytes;
  const factor = (bytes: number): string => (bytes / payloadBytes).toFixed(3);
  return [
    name,
    String(Object.values(cuts).reduce((sum, each) => sum + each, 0)),
    count(payloadBytes),
    count(wireBytes),
    factor(wireBytes),
    count(reached),
    factor(reached),
    count(link.down.tcp_bytes_again),
    ...CUTS.map((kind) => (cuts[kind] === 0 ? '–' : count(Math.round(losses[kind] / cuts[kind])))),
    count(ipBytes),
    factor(ipBytes),
    seconds.toFixed(0),
  ];
}

const report = (rows: readonly string[][]): string =>
  [
    '# Bytes on a bad link\n',
    'Command: `npm run bench:link -- --all --write` (as root; without `--all` only the first two rows). `engraft serve`',
    'and `engraft-agent run`, each in a network namespace of its own, over `emulated_link.py`: rate, one-way delay and',
    `loss as given, a queue of ${QUEUE_BYTES / 1024} KiB in front. The link is cut by turns by an RST of the server, by a change of the`,
    `device's address, and by an outage of ${OUTAGE_MS / 1000} s; the agent gives a mute connection up after ${IDLE_SECONDS} s. The payload is a`,
    'full one of random bytes.\n',
    machineFacts(),
    markdownTable(HEAD, rows),
    '- **Taken by the agent**: payload bytes that it read from its sockets, in its own count (`wireBytes`): what the budget',
    '  counts. Every request begins at the very byte that is missing, and what a socket holds when its connection breaks',
    '  is still read, so nothing is taken twice. The bound is 1.02.',
    '- **Reached the device (TCP)**: distinct bytes inside TCP that came out of the link at the device while the payload',
    '  was downloaded. On top of the payload: the heads of the HTTP answers (about 350 bytes for each connection), the',
    '  polls for cancellation, and what the kernel had received behind a lost packet when the connection broke: TCP does',
    '  not hand that out. The last is what cuts cost, about one round trip of data each; no program above TCP can avoid it.',
    '- **Of no use, per cut**: the mean of that by how the connection was cut, with one answer head each.',
    '- **Again (TCP)**: bytes that the kernels sent again though they had come through.',
    '- **IP bytes**: everything that crossed the link, both ways, with IP and TCP headers and acknowledgements. Without a',
    '  cut this is what TCP costs on such a link anyway.\n',
  ].join('\n');

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      all: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
    },
  });
  const why = missing();
  if (why !== null) {
    console.log(`bench:link is skipped: ${why}`);
    return;
  }
  const rows: string[][] = [];
  for (const scenario of SCENARIOS.filter(({ long }) => values.all || long !== true)) {
    const outcome = await runScenario(scenario, (text) => values.verbose && console.error(text.trimEnd()));
    rows.push(row(scenario, outcome));
    console.log(`${rows.at(-1)!.join(' | ')} | ${JSON.stringify(outcome.cuts)}, ${outcome.waits} waits`);
    const made = Object.values(outcome.cuts).reduce((sum, each) => sum + each, 0);
    const good = outcome.identical && made === scenario.cuts && outcome.wireBytes <= FACTOR_MAX * outcome.payloadBytes;
    if (!good) process.exitCode = 1;
  }
  const text = report(rows);
  console.log(text);
  if (values.write) writeResults('link', text);
}

await main();
