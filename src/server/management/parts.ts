/**
 * What the routes of the management API are made of.
 * @module
 */
import type { RouteConfig, z } from '@hono/zod-openapi';
import type { Logger } from 'pino';
import { LIMITS } from '../../../native-free/limits.ts';
import type { AuthOptions } from '../auth.ts';
import { jsonBody } from '../http/body.ts';
import type { PublishingRoom } from '../publishing/room.ts';
import type { Store } from '../store/index.ts';
import { problemSchema } from './model.ts';

export interface ManagementOptions {
  readonly store: Store;
  readonly auth: AuthOptions;
  readonly version: string;
  readonly now: () => number;
  readonly refresh: () => Promise<void>;
  readonly logger: Logger;
  readonly room: PublishingRoom;
}

const json = <S extends z.ZodType>(schema: S) => ({ content: { 'application/json': { schema } } });
const problems = {
  default: { description: 'what went wrong', content: { 'application/problem+json': { schema: problemSchema } } },
};
export const ok = <S extends z.ZodType>(description: string, schema: S) => ({
  200: { description, ...json(schema) },
  ...problems,
});
export const secured = { security: [{ bearer: [] }] } satisfies Partial<RouteConfig>;
export const body = <S extends z.ZodType>(schema: S) => ({ ...json(schema), required: true });
export const bounded = { middleware: jsonBody(LIMITS.management_body_bytes_max) };

export const iso = (ms: number): string => new Date(ms).toISOString();
