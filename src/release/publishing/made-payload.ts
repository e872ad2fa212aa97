/**
 * What has to be known of a payload to publish it: plain data, which a worker may hand to whoever has the keys.
 * @module
 */
import { TargetFile } from '@tufjs/models';
import { z } from 'zod';
import { formatName, formatOf } from '../../../native-free/format/features.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { sha256Hex } from '../../platform/hash.ts';
import type { CatalogPayload, CatalogRelease } from '../catalog.ts';
import { deltaTargetName, fullTargetName, targetCustomSchema, type ReleaseKey, type TargetCustom } from '../custom.ts';
import { encryptionOf } from '../encryption/publishing.ts';
import type { PayloadResult } from '../payload-maker.ts';

const custom = targetCustomSchema.shape;

export const payloadFactsSchema = z.object({
  ...{ kind: custom.kind, format: z.string().max(64), bytes: z.number().int().min(1), sha256: custom.headerDigest },
  ...{ payloadVersion: custom.payloadVersion, codec: custom.codec },
  ...{ headerDigest: custom.headerDigest, headerBytes: custom.headerBytes },
  ...{ decoderMemoryBytes: custom.decoderMemoryBytes, decoderWork: custom.decoderWork },
});

/** A payload that lies among the blobs, and what its header says. */
export type PayloadFacts = z.infer<typeof payloadFactsSchema>;

/** A payload and the place that it gets in a release. */
export interface MadePayload {
  readonly payload: CatalogPayload;
  readonly facts: PayloadFacts;
}

/** Of a payload that was made and stored under `sha256`. */
export function factsOf(result: PayloadResult, sha256: string): PayloadFacts {
  const { header, payload, kind } = result;
  const format = formatOf(payload);
  if (format === null) throw new UpdateError('bug', 'what was made is no payload');
  const { headerBytes, decoderMemoryBytes, decoderWork } = header;
  return {
    ...{ kind, format: formatName(format), bytes: payload.length, sha256 },
    ...{ payloadVersion: format.version, codec: format.codec },
    headerDigest: sha256Hex(payload.subarray(0, headerBytes)),
    ...{ headerBytes, decoderMemoryBytes, decoderWork },
  };
}

/** A payload as the release that it belongs to has it. `targetName`: default that of the best one of its source. */
export function payloadIn(
  release: ReleaseKey,
  facts: PayloadFacts,
  source: CatalogPayload['source'],
  targetName = source === null ? fullTargetName(release) : deltaTargetName(release, source.sha256),
): MadePayload {
  const { kind, format, bytes, sha256 } = facts;
  return { facts, payload: { targetName, kind, format, bytes, sha256, source } };
}

/** The TUF target of a payload, with its `custom` field checked as a reader would. */
export function targetOf({ payload, facts }: MadePayload, release: CatalogRelease): TargetFile {
  const { product, version, hardware, slotClass, artifact, rollbackIndex } = release;
  const { kind, source, targetName: path, bytes: length, sha256 } = payload;
  const { payloadVersion, codec, headerDigest, headerBytes, decoderMemoryBytes, decoderWork } = facts;
  const encryption = encryptionOf(payload);
  const checked: TargetCustom = targetCustomSchema.parse({
    ...{ product, version, hardware, slotClass, kind },
    source: source === null ? null : { bytes: source.bytes, sha256: source.sha256 },
    target: { bytes: artifact.bytes, sha256: artifact.sha256 },
    ...{ payloadVersion, codec, headerDigest, headerBytes, decoderMemoryBytes, decoderWork, rollbackIndex },
    ...(encryption === null ? {} : { encryption }),
  });
  return new TargetFile({ path, length, hashes: { sha256 }, unrecognizedFields: { custom: checked } });
}
