/**
 * Two servers as processes on one PostgreSQL, whose connections are all cut in the middle, and one of them killed: every
 * report that was answered with 200 is in the database, and the other server goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ManagementClient } from '../../src/client/index.ts';
import { hasPostgres, Postgres } from '../support/postgres.ts';
import { start, type Running } from '../support/program.ts';
import { releases } from '../support/server.ts';

let pg: Postgres;
beforeAll(() => {
  if (hasPostgres) pg = Postgres.start();
});
const running: Running[] = [];
afterAll(async () => {
  for (const { child, ended } of running) {
    child.kill('SIGKILL');
    await ended;
  }
  pg?.remove();
});

const TOKEN = 'tok';
const DEVICES = 60;

async function serve(repo: string, database: string): Promise<{ url: string; process: Running }> {
  const args = ['serve', '--repo', repo, '--database', database, '--port', '0', '--log-level', 'error', '--json'];
  const process = start(args, { ENGRAFT_MANAGEMENT_TOKEN: TOKEN });
  running.push(process);
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    process.child.stdout!.on('data', (more: string) => {
      text += more;
      const found = /"url":\s*"([^"]+)"/.exec(text);
      if (found !== null) resolve(found[1]!);
    });
    process.ended.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  return { url, process };
}

/** A device that tries again, at whichever server, until it is told that its report was taken. */
async function live(servers: readonly string[], id: string, taken: Map<string, number>, reports: number) {
  const giveUp = Date.now() + 50_000;
  const anywhere = async (path: string, init?: RequestInit): Promise<Response> => {
    for (let i = 0; Date.now() < giveUp; i++) {
      const server = servers[(i + id.length + Number(id.slice(1))) % servers.length]!;
      try {
        const signal = AbortSignal.timeout(10_000);
        const answer = await fetch(`${server}/default/controller/v1/${id}${path}`, { ...init, signal });
        if (answer.status < 500) return answer;
        await answer.body?.cancel();
      } catch {
        // It is away; the other one is asked.
      }
      await sleep(50);
    }
    throw new Error(`nobody answers ${id}`);
  };
  const poll = (await (await anywhere('')).json()) as { _links: { deploymentBase: { href: string } } };
  const action = /(\d+)$/.exec(poll._links.deploymentBase.href)![1]!;
  for (let n = 1; n <= reports; n++) {
    const isLast = n === reports;
    const status = {
      execution: isLast ? 'closed' : 'proceeding',
      result: { finished: isLast ? 'success' : 'none' },
      details: [`step ${n}`],
    };
    const body = JSON.stringify({ id: action, time: String(n), status });
    const answer = await anywhere(`/deploymentBase/${action}/feedback`, { method: 'POST', body });
    expect(answer.status).toBe(200);
    taken.set(action, n);
    await sleep(100);
  }
}

describe.skipIf(!hasPostgres)('two servers on one database (skipped without the package postgresql)', () => {
  test('lose no report when the database is restarted and one of them is killed', async () => {
    const [{ dir }, database] = [await releases(), await pg.database()];
    const [a, b] = await Promise.all([serve(dir, database), serve(dir, database)]);
    const devices = Array.from({ length: DEVICES }, (_, i) => `d${i}`);
    const client = (url: string): ManagementClient => new ManagementClient({ url, token: TOKEN });
    const { id } = await client(a.url).createDeployment({ releaseId: 1, devices, register: true });
    const taken = new Map<string, number>();
    const reports = 20;
    const lives = Promise.all(devices.map((name) => live([a.url, b.url], name, taken, reports)));
    const disturb = async (): Promise<void> => {
      await sleep(600);
      pg.stop('immediate');
      await sleep(300);
      pg.resume();
      await sleep(600);
      b.process.child.kill('SIGKILL');
    };
    await Promise.all([lives, disturb()]);
    const text = 'select action_id, count(*)::int as reports from feedback group by action_id';
    const rows = await pg.query(database, text);
    expect(new Map(rows.map((row) => [String(row['action_id']), row['reports']]))).toEqual(taken);
    expect(taken.size).toBe(DEVICES);
    expect(await client(a.url).deployment(id)).toMatchObject({ state: 'finished', actions: { finished: DEVICES } });
  });
});
