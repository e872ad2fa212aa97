/**
 * The child process around bsdiff-node. One job, then it ends: the addon may call exit() when memory is short, leaks
 * descriptors when it fails, and cannot be interrupted. The parent kills it when time is up.
 *
 * Message in: {source, target, patch}: three paths. Message out: {ok: true, cpuSeconds} or {ok: false, reason}.
 *
 * @module
 */
import { createRequire } from 'node:module';

interface Job {
  readonly source: string;
  readonly target: string;
  readonly patch: string;
}

interface BsdiffNode {
  diff(source: string, target: string, patch: string): Promise<void>;
}

// A parent that died cannot kill us. The sort runs on a thread of its own, so this is seen at once.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

async function perform(job: Job): Promise<Record<string, unknown>> {
  try {
    // CommonJS, and a native addon: where it is not built for this runtime the require fails, with a reason to tell.
    const bsdiff = createRequire(import.meta.url)('bsdiff-node') as BsdiffNode;
    await bsdiff.diff(job.source, job.target, job.patch);
    const { user, system } = process.cpuUsage();
    return { ok: true, cpuSeconds: (user + system) / 1e6 };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message.split('\n')[0] : String(error) };
  }
}

process.once('message', (job: Job) => {
  void perform(job).then((answer) => process.send!(answer));
});
