/**
 * The JSON of hawkBit's DDI API, version 1 (https://eclipse.dev/hawkbit/apis/ddi_api): what devices send, checked
 * mildly, since a device whose report is refused will only send it again; and what they are sent.
 * @module
 */
import { z } from 'zod';
import { LIMITS } from '../../native-free/limits.ts';
import { UpdateError } from '../../native-free/status.ts';
import {
  EXECUTIONS,
  type Feedback,
  type StoredAction,
  type StoredFeedback,
  type StoredRelease,
} from './store/index.ts';

const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const feedbackSchema = z.object({
  time: text.optional(),
  timestamp: z.number().optional(),
  status: z.object({
    execution: z.enum(EXECUTIONS),
    result: z
      .object({ finished: z.enum(['success', 'failure', 'none']).default('none') })
      .default({ finished: 'none' }),
    code: z
      .number()
      .int()
      .min(-(2 ** 31))
      .max(2 ** 31 - 1)
      .nullish(),
    details: z.union([z.array(text), text.transform((one) => [one])]).nullish(),
  }),
  engraft: z
    .object({
      product: z.string().optional(),
      version: z.string().optional(),
      hardware: z.string().optional(),
      code: z
        .string()
        .regex(/^\w{1,40}$/)
        .optional(),
      subStatus: z.number().int().min(0).max(99_999).optional(),
    })
    .nullish(),
});

const configDataSchema = z.object({
  mode: z.enum(['merge', 'replace', 'remove']).nullish(),
  data: z.record(z.string().min(1).max(LIMITS.device_attribute_chars_max), text),
});

/** Throws UpdateError usage_invalid. */
export function parseFeedback(body: unknown, channel: Feedback['channel']): Feedback {
  const { time, timestamp, status, engraft } = check(feedbackSchema, body);
  const { product, version, hardware, code: reason, subStatus } = engraft ?? {};
  const details = (status.details ?? []).slice(0, LIMITS.feedback_details_max);
  return {
    channel,
    execution: status.execution,
    finished: status.result.finished,
    code: status.code ?? null,
    details: details.map((detail) => detail.slice(0, LIMITS.feedback_detail_chars_max)),
    time: `${time ?? ''}/${timestamp ?? ''}`,
    about: { product, version, hardware },
    reason: reason ?? null,
    subStatus: subStatus ?? null,
  };
}

/** Throws UpdateError usage_invalid. */
export function parseConfigData(body: unknown): { mode: 'merge' | 'replace' | 'remove'; data: Record<string, string> } {
  const { mode, data } = check(configDataSchema, body);
  const entries = Object.entries(data).slice(0, LIMITS.device_attributes_max);
  const cut = entries.map(([key, value]) => [key, value.slice(0, LIMITS.device_attribute_chars_max)]);
  return { mode: mode ?? 'merge', data: Object.fromEntries(cut) as Record<string, string> };
}

function check<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new UpdateError('usage_invalid', `${issue.path.join('.') || 'body'}: ${issue.message}`);
}

/** Seconds as hawkBit writes a polling interval: HH:MM:SS, under a day. */
export function pollingTime(seconds: number): string {
  const bounded = Math.min(86_399, Math.max(1, Math.round(seconds)));
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(bounded / 3600))}:${two(Math.floor(bounded / 60) % 60)}:${two(bounded % 60)}`;
}

export interface ControllerLinks {
  readonly deploymentBase?: string;
  readonly cancelAction?: string;
  readonly installedBase?: string;
  readonly configData?: string;
}

/** The answer to a poll. */
export function controllerBase(pollSeconds: number, links: ControllerLinks): object {
  const entries = Object.entries(links).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const _links = Object.fromEntries(entries.map(([name, href]) => [name, { href }]));
  return { config: { polling: { sleep: pollingTime(pollSeconds) } }, ...(entries.length > 0 ? { _links } : {}) };
}

/**
 * What is to be installed. Foreign clients take the artifact, the raw image; our agent takes the name of the release
 * from the metadata and everything else from the signed TUF metadata.
 */
export function deploymentBase(
  action: StoredAction,
  release: StoredRelease,
  origin: string,
  said: readonly StoredFeedback[] | null,
): object {
  const { filename, bytes, sha256, sha1, md5, isPrivate } = release.artifact;
  const href = `${origin}/blobs/sha256/${sha256}`;
  const links = origin.startsWith('https:')
    ? { download: { href } }
    : { 'download-http': { href }, download: { href } };
  const metadata = [
    { key: 'engraft.product', value: release.product },
    { key: 'engraft.version', value: release.version },
    { key: 'engraft.hardware', value: release.hardware },
    { key: 'engraft.slotClass', value: release.slotClass },
  ];
  const chunk = {
    part: 'os',
    version: release.version,
    name: release.product,
    // Of an encrypted release there is nothing that a foreign client could read.
    artifacts: isPrivate === true ? [] : [{ filename, hashes: { sha1, md5, sha256 }, size: bytes, _links: links }],
    // A release without payloads is for foreign clients alone; ours has to see that at once.
    ...(release.payloads.length > 0 ? { metadata } : {}),
  };
  const messages = said?.flatMap(({ details }) => details).reverse();
  const actionHistory = messages === undefined ? {} : { actionHistory: { status: action.state, messages } };
  return {
    id: String(action.id),
    deployment: { download: 'forced', update: 'forced', chunks: [chunk] },
    ...actionHistory,
  };
}

/** What is to be stopped. */
export function cancelAction(action: StoredAction): object {
  return { id: String(action.id), cancelAction: { stopId: String(action.id) } };
}
