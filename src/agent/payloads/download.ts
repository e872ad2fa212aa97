/**
 * The download of an attempt's payload: link, meter and spool set up from the plan and the configuration, shared by
 * PREPARE (header), APPLY (body) and REPAIR (the full payload's header).
 * @module
 */
import { Link, type PayloadLink } from '../../transfer/link.ts';
import { Meter } from '../../transfer/meter.ts';
import { Spool } from '../../transfer/spool.ts';
import { obtainHeader } from '../../transfer/header.ts';
import { checkMemory, checkWork } from '../../../native-free/format/decoder-memory.ts';
import { floorBytes } from '../../platform/http/rate-floor.ts';
import type { PayloadHeader } from '../../../native-free/format/payload-header.ts';
import type { Network } from '../../platform/network.ts';
import { bytesEqual, hexToBytes } from '../../../native-free/hash.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { ledgerKey } from './budget.ts';
import { readFormat } from './formats.ts';
import { throwIfCancelled } from '../service/cancel.ts';
import { spoolFolder, type Context } from '../context.ts';
import { checkHours } from '../life/hours.ts';
import { blobOf, type Attempt, type Plan } from '../records/journal.ts';
import { decrypting } from './decrypt.ts';
import { networkBounds } from '../service/agent-network.ts';
import { requireDownload } from '../service/words.ts';

export interface Download {
  readonly link: PayloadLink;
  readonly meter: Pick<Meter, 'take' | 'noteRefetch'>;
  readonly spool: Spool;
  /** To be called at chunk borders. Throws `cancelled`, `withdrawn`, `outside_hours`, `server_holds`. */
  betweenChunks(): Promise<void>;
  /** Write the meter's figures into the attempt; durable with the next save. */
  note(): void;
}

/** A payload whose header was read, and is the signed one. */
export interface OpenPayload {
  readonly plan: Plan;
  readonly download: Download;
  readonly header: PayloadHeader;
  readonly headerBytes: Uint8Array;
}

/** Permission is asked for where bytes are: what is in the spool already waits for no hours. */
export function openDownload(context: Context, attempt: Attempt, plan: Plan): Download {
  const { config, clock, network, fs, hash, ledger, signal } = context;
  const { limits, server } = config;
  const withinHours = (): void => {
    requireDownload(attempt.words);
    checkHours('the download', limits.allowedHours, clock);
  };
  const withinHoursOnly: Network = {
    reset: () => network.reset?.(),
    request: async (request) => {
      withinHours();
      return network.request(request);
    },
  };
  const blob = blobOf(plan);
  const meter = new Meter({
    clock,
    budgetBytes: limits.budgetBytes,
    bytesPerSecondMax: limits.rateBytesPerSecond,
    alreadyBytes: attempt.wireBytes,
    charge: (bytes, wireBytes) => ledger.chargeAttempt(ledgerKey(attempt), bytes, wireBytes),
    onTake: (wireBytes) => context.emit({ type: 'bytes', wireBytes, payloadBytes: blob.bytes }),
  });
  const refetchedBefore = attempt.refetchedBytes;
  const link = new Link({
    url: `${server.blobsUrl}/sha256/${blob.sha256}`,
    totalBytes: blob.bytes,
    network: withinHoursOnly,
    clock,
    backoff: limits.backoff,
    retriesMax: limits.retriesMax,
    signal,
    onWait: async ({ delayMs, failures, error }) => {
      context.emit({ type: 'state', state: 'WAIT_NET' });
      context.emit({ type: 'wait', delayMs, failures, error });
      withinHours();
      await throwIfCancelled(context, attempt);
    },
    sliceMs: server.cancelPollSeconds * 1000,
    whileWaiting: async (error) => {
      withinHours();
      const answered = await throwIfCancelled(context, attempt);
      // The way to the server is open again. A server that is overloaded or wrong is given its time.
      return answered && error.code === 'link_failed';
    },
    progressBytes: floorBytes(networkBounds(config).floor),
    whileFlowing: async () => void (await throwIfCancelled(context, attempt)),
    onFlow: () => context.emit({ type: 'state', state: context.journal.body.state }),
  });
  const spool = new Spool({ fs, hash, folder: spoolFolder(config), payloadSha256: plan.payload.sha256 });
  const note = (): void => {
    attempt.wireBytes = meter.wireBytes;
    attempt.refetchedBytes = refetchedBefore + meter.refetchedBytes;
  };
  const betweenChunks = async (): Promise<void> => {
    withinHours();
    await throwIfCancelled(context, attempt);
  };
  const way = (plan.encryption ?? null) === null ? { link, meter } : decrypting(context, plan, { link, meter, spool });
  return { ...way, spool, betweenChunks, note };
}

/** The signed header of `plan`, checked against everything else that is signed. */
export async function readSignedHeader(context: Context, download: Download, plan: Plan): Promise<OpenPayload> {
  const headerBytes = await obtainHeader({
    ...download,
    hash: context.hash,
    headerBytes: plan.headerBytes,
    headerDigest: hexToBytes(plan.headerDigest),
    signal: context.signal,
  });
  const header = readFormat(context, plan, headerBytes);
  checkAgainstPlan(context, header, plan);
  return { plan, download, header, headerBytes };
}

function checkAgainstPlan(context: Context, header: PayloadHeader, plan: Plan): void {
  const same = (what: string, inHeader: unknown, signed: unknown): void => {
    if (inHeader === signed) return;
    const message = `the header's ${what} is ${String(inHeader)}; signed is ${String(signed)}`;
    throw new UpdateError('metadata_malformed', message, { detail: { field: what } });
  };
  const sameDigest = (what: string, inHeader: Uint8Array, signed: string): void =>
    same(what, bytesEqual(inHeader, hexToBytes(signed)), true);
  same('kind', header.kind, plan.kind);
  if (plan.format) same('codec', header.codec, plan.format.codec);
  same('length', header.headerBytes, plan.headerBytes);
  same('payload size', header.payloadBytes, plan.payload.bytes);
  same('target size', header.targetBytes, plan.target.bytes);
  sameDigest('target digest', header.targetDigest, plan.target.sha256);
  if (plan.source !== null) {
    same('source size', header.sourceBytes, plan.source.bytes);
    sameDigest('source digest', header.sourceDigest, plan.source.sha256);
  }
  checkWork(header.decoderWork, context.config.limits.decoderWork);
  checkMemory(header.decoderMemoryBytes, context.config.limits.decoderMemoryBytes);
}
