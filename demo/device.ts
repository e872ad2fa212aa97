/**
 * The demo's device: the real agent in a process of its own, so that the demo can pull its plug.
 *
 * Its only addition is that it counts. Every read of a slot goes through the agent's file system interface, and the
 * figures are written to a file as they change, so that they outlive a SIGKILL.
 *
 *   node device.js CONFIG METRICS
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  Agent,
  nodeNetwork,
  nodeFileSystem,
  parseConfig,
  type AgentConfig,
  type AgentEvent,
  type Network,
  type RunResult,
} from '../src/agent/index.ts';
import { UpdateError } from '../native-free/index.ts';
import { createProgress } from '../src/cli/terminal/progress.ts';
import { watchFileSystem, type FileWatcher } from '../src/testing/index.ts';

/** What one process of the agent did. Bytes. */
export interface DeviceMetrics {
  readonly pid: number;
  /** By path: bytes read from and written to each slot file. */
  readonly read: Record<string, number>;
  readonly written: Record<string, number>;
  readonly peakRssBytes: number;
  readonly segmentsDone: number;
  /** Bytes of blobs that this process got from the link. */
  readonly blobBytes: number;
  /** The agent's own figure for the attempt so far. */
  readonly wireBytes: number;
  readonly payloadBytes: number;
  /** Missing when the process was killed. */
  readonly result?: RunResult;
  readonly error?: Record<string, unknown>;
}

interface Counts {
  readonly read: Record<string, number>;
  readonly written: Record<string, number>;
}

/** Adds up reads and writes of the files at `paths`. */
function counter(paths: readonly string[], counts: Counts): FileWatcher {
  return ({ name, path, bytes = 0 }) => {
    if (!paths.includes(path)) return;
    if (name === 'read') counts.read[path] = (counts.read[path] ?? 0) + bytes;
    if (name === 'write') counts.written[path] = (counts.written[path] ?? 0) + bytes;
  };
}

/** Counts the bytes of every blob that the link delivers, kept by the agent or not. */
function countingNetwork(network: Network, onBytes: (count: number) => void): Network {
  return {
    async request(request) {
      const response = await network.request(request);
      if (!request.url.includes('/blobs/')) return response;
      async function* body(): AsyncGenerator<Uint8Array> {
        for await (const piece of response.body) {
          onBytes(piece.length);
          yield piece;
        }
      }
      return { ...response, header: (name) => response.header(name), body: body(), discard: () => response.discard() };
    },
  };
}

/** Peak resident set. From /proc where there is one: elsewhere the figure may include what the parent had. */
function peakBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024;
}

function slotPaths(config: AgentConfig): string[] {
  return config.place.kind === 'slots'
    ? Object.values(config.place.slots).flatMap((classes) => Object.values(classes))
    : [config.place.path];
}

async function main(configPath: string, metricsPath: string): Promise<number> {
  const config = parseConfig(readFileSync(configPath, 'utf8'), dirname(configPath), configPath);
  const counts: Counts = { read: {}, written: {} };
  const seen = { segmentsDone: 0, blobBytes: 0, wireBytes: 0, payloadBytes: 0 };
  const keep = (end: Pick<DeviceMetrics, 'result' | 'error'> = {}): void => {
    const peakRssBytes = peakBytes();
    const metrics: DeviceMetrics = { pid: process.pid, ...counts, peakRssBytes, ...seen, ...end };
    writeFileSync(metricsPath, JSON.stringify(metrics));
  };
  const progress = await createProgress();
  let started = false;
  const onEvent = (event: AgentEvent): void => {
    if (event.type === 'progress') {
      seen.segmentsDone = event.segmentsDone;
      keep();
    } else if (event.type === 'bytes') {
      if (!started) progress.start('agent: download and apply', event.payloadBytes);
      started = true;
      progress.update(event.wireBytes);
      seen.wireBytes = event.wireBytes;
      seen.payloadBytes = event.payloadBytes;
      keep();
    } else if (event.type === 'state') {
      if (event.state === 'VERIFY') progress.stop();
    }
  };
  const world = {
    fs: watchFileSystem(nodeFileSystem, counter(slotPaths(config), counts)),
    network: countingNetwork(nodeNetwork(), (bytes) => {
      seen.blobBytes += bytes;
      keep();
    }),
  };
  try {
    const result = await new Agent(config, { world, onEvent }).run({ once: true });
    keep({ result });
    return result.status;
  } catch (thrown) {
    const error = UpdateError.from(thrown);
    keep({ error: error.toJSON() });
    return error.outcome;
  } finally {
    progress.stop();
  }
}

process.exitCode = await main(process.argv[2]!, process.argv[3]!);
