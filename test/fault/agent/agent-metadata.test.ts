/**
 * Metadata that cannot be trusted for a while: whatever is wrong with them, and whatever the agent is at, no attempt ends,
 * the server is told once, a cancellation is still heard, and the update is done when they are in order again.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UpdateError } from '../../../native-free/status.ts';
import { newMemory, type Context } from '../../../src/agent/context.ts';
import type { Attempt } from '../../../src/agent/records/journal.ts';
import type { State } from '../../../src/agent/states/states.ts';
import { trusted } from '../../../src/agent/service/trusted.ts';
import type { MemoryAnswer } from '../../../src/testing/index.ts';
import { device, imagePair, makeLab, sameBytes, type Lab, type SimulatedDevice } from '../../support/device/agent.ts';

const pair = imagePair(150_000, 60_000);
const body = (bytes: Uint8Array): MemoryAnswer => ({ status: 200, body: bytes });
const text = (json: object): MemoryAnswer => body(new TextEncoder().encode(JSON.stringify(json)));
const metadataOf = (lab: Lab, name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(lab.publisher.dir, 'metadata', name)));
const named = (lab: Lab, ending: string): string[] =>
  readdirSync(join(lab.publisher.dir, 'metadata')).filter((name) => name.endsWith(ending));

/** What a file is answered with, by the code that comes of it. */
interface Wrong {
  readonly code: string;
  readonly status: number;
  readonly file: RegExp;
  answer(lab: Lab, before: Uint8Array): Promise<MemoryAnswer> | MemoryAnswer;
}

const WRONG: readonly Wrong[] = [
  {
    ...{ code: 'signature_invalid', status: 4010, file: /\/timestamp\.json$/ },
    answer: async () => body(metadataOf(await makeLab(pair, false), 'timestamp.json')),
  },
  { code: 'metadata_rollback', status: 4030, file: /\/timestamp\.json$/, answer: (_lab, before) => body(before) },
  { code: 'metadata_malformed', status: 2070, file: /\/timestamp\.json$/, answer: () => text({ signed: {} }) },
  {
    ...{ code: 'metadata_mismatch', status: 4070, file: /\/\d+\.snapshot\.json$/ },
    answer: (lab) => body(metadataOf(lab, named(lab, '.snapshot.json').sort()[0]!)),
  },
  { code: 'content_wrong', status: 5020, file: /\/timestamp\.json$/, answer: () => body(new Uint8Array(10)) },
];

/** How often what is wrong was asked for. */
interface Met {
  asked: number;
  atAsked: () => void;
}

/** An update that was stopped as it came to `state`. From then on the device meets what is `wrong`. */
async function stoppedIn(state: State, wrong: Wrong): Promise<{ it: SimulatedDevice; met: Met; mend: () => void }> {
  const lab = await makeLab(pair);
  const before = metadataOf(lab, 'timestamp.json');
  await another(lab, 3);
  let answer: MemoryAnswer | null = null;
  const met = { asked: 0, atAsked: (): void => undefined };
  const it = await device(lab, {
    answer: (request) => {
      if (answer === null || !wrong.file.test(request.url)) return lab.answer(request);
      met.asked++;
      met.atAsked();
      return answer;
    },
  });
  await it.knowsSource();
  // Not what the delta was made from: this is what leads to REPAIR.
  it.disk.place('/slots/a', pair.source.slice().fill(1, 300, 400));
  it.deployments.assign('2.0');
  const stop = new AbortController();
  const { push } = it.events;
  it.events.push = (...events) => {
    if (events.some((event) => event.type === 'state' && event.state === state)) stop.abort();
    return push.apply(it.events, events);
  };
  await expect(it.once(stop.signal)).rejects.toMatchObject({ code: 'aborted' });
  it.events.push = push;
  expect(it.journal().state).toBe(state);
  await another(lab, 4);
  answer = await wrong.answer(lab, before);
  return { it, met, mend: () => (answer = null) };
}

/** Nobody's update, and metadata of higher versions. */
const another = (lab: Lab, version: number): Promise<unknown> =>
  lab.publisher.release(version, { image: new Uint8Array(1000).fill(version), rollbackIndex: version, from: 0 });

/** As a service, until what is wrong was asked for so many times, or the attempt has ended. */
async function served(it: SimulatedDevice, met: Met, times: number): Promise<void> {
  const stop = new AbortController();
  met.atAsked = () => {
    if (met.asked > times) stop.abort();
  };
  const { close } = it.deployments;
  it.deployments.close = (report) => {
    stop.abort();
    return close.call(it.deployments, report);
  };
  await expect(it.agent().run({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' });
  met.atAsked = () => undefined;
  it.deployments.close = close;
}

describe.each(['PLAN', 'REPAIR'] as const)('metadata that cannot be trusted in %s', (state) => {
  test.each(WRONG)('($code) end no attempt, are told once, and are waited for', async (wrong) => {
    const { it, met, mend } = await stoppedIn(state, wrong);
    await served(it, met, 3);
    expect(it.journal()).toMatchObject({ state, attempt: { release: { version: '2.0' }, outcome: null } });
    expect(it.deployments.closed).toEqual([]);
    expect(it.deployments.news.filter(({ code }) => code > 0)).toMatchObject([{ code: wrong.status }]);
    await expect(it.once()).rejects.toMatchObject({ code: wrong.code });
    mend();
    expect(await it.untilDone()).toMatchObject({ status: 0, code: 'ok' });
    expect(sameBytes(it.slot('b'), pair.target)).toBe(true);
  });

  test('let a cancellation be heard', async () => {
    const { it } = await stoppedIn(state, WRONG[0]!);
    await expect(it.once()).rejects.toMatchObject({ code: 'signature_invalid' });
    it.deployments.cancelId = 'cancel-1';
    expect(await it.once()).toMatchObject({ code: 'cancelled' });
    expect(it.deployments.cancelAnswers).toEqual([true]);
  });
});

describe('a delegated role', () => {
  test.each([
    ['that cannot be trusted is asked for with new metadata the next time', 'metadata_mismatch', true],
    ['that cannot be kept for want of room is no matter of trust', 'disk_full', false],
  ] as const)('%s', async (_what, code, isOfMetadata) => {
    const asked: (boolean | undefined)[] = [];
    const error = new UpdateError(code, 'a role');
    const context = {
      trust: async (fresh?: boolean) => {
        asked.push(fresh);
        return { paths: async () => [], find: () => Promise.reject(error) };
      },
      clock: { now: () => 0 },
      deployments: { proceeding: async () => undefined },
      memory: newMemory(),
    } as unknown as Context;
    const attempt = { actionId: 'a', release: {} } as Attempt;
    const targets = await trusted(context, attempt);
    await expect(targets.find('x')).rejects.toBe(error);
    expect(context.memory.distrusted.has(error)).toBe(isOfMetadata);
    await trusted(context, attempt);
    await trusted(context, attempt);
    expect(asked).toEqual([false, true, false]);
  });
});
