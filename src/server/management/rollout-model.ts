/**
 * The JSON of rollouts, as zod schemas.
 * @module
 */
import { z } from '@hono/zod-openapi';
import { LIMITS } from '../../../native-free/limits.ts';
import { MEMBER_STATES } from '../store/index.ts';
import { ROLLOUT_STATES } from '../rollouts/states.ts';
import { afterQuery } from './model.ts';

const id = z.number().int().min(1);
const instant = z.string().openapi({ format: 'date-time' });
const name = z.string().min(1).max(128);
const percent = z.number().min(1).max(100);
const filter = z.string().min(1).max(LIMITS.filter_chars_max).openapi({
  description: 'RSQL over controllerId, product, hardware, version and attribute.NAME: ==, !=, =in=, =out=, with *',
  example: 'version=in=(1.0,1.1);attribute.region==eu*',
});

const group = z.object({
  name: name.optional(),
  percent: percent.optional().openapi({ description: 'of all devices of the rollout' }),
  count: z.number().int().min(1).optional(),
  filter: filter.optional(),
  successPercent: percent
    .default(100)
    .openapi({ description: 'that must have succeeded before the next group begins' }),
  errorPercent: percent.default(10).openapi({ description: 'that halt the rollout when they have failed' }),
  approve: z.boolean().optional().openapi({ description: 'a person has to approve before the group begins' }),
});

const minute = z.number().int().min(0).max(1439);
const minutes = z.number().int().min(1).max(1_000_000);
const bytes = z.number().int().min(1);

const planSchema = z
  .object({
    filter: filter.nullable().default(null),
    groups: z.array(group).min(1).max(LIMITS.rollout_groups_max),
    dynamic: z.boolean().default(false).openapi({ description: 'later devices join the last group' }),
    approve: z.boolean().default(false),
    rate: z
      .object({
        devicesPerHour: z.number().min(1).max(1e9),
        growth: z.number().min(1).max(10).default(1),
        every: z.number().int().min(1).default(1000),
      })
      .nullable()
      .default(null)
      .openapi({ description: 'devicesPerHour, times growth for each `every` devices that succeeded' }),
    concurrent: z.number().int().min(1).nullable().default(null),
    timeoutMinutes: minutes.default(7 * 24 * 60).openapi({ description: 'a device that takes longer has failed' }),
    retries: z.number().int().min(0).max(10).default(0),
    retryMinutes: minutes.default(60),
    startAt: z.iso
      .datetime({ offset: true })
      .nullable()
      .default(null)
      .openapi({ description: 'null: when it is told to start' }),
    window: z
      .object({ fromMinute: minute, toMinute: minute, offsetMinutes: z.number().int().min(-840).max(840).default(0) })
      .nullable()
      .default(null)
      .openapi({ description: 'minutes of the day in which devices are let in' }),
    health: z
      .object({ ratio: z.number().min(1).max(1000).default(2), sample: z.number().int().min(1).default(50) })
      .nullable()
      .default(null)
      .openapi({ description: 'halts at `ratio` times the failures of the release before' }),
    waveBytes: bytes.nullable().default(null),
    deviceBytes: bytes.nullable().default(null),
  })
  .openapi('RolloutPlan');

export const newRolloutSchema = z
  .object({
    name,
    releaseId: id,
    plan: planSchema,
    after: id.optional().openapi({ description: 'take back the devices that this rollout let in' }),
  })
  .openapi('NewRollout');

export const rolloutSchema = z
  .object({
    id,
    name,
    releaseId: id,
    release: z.object({ product: z.string(), version: z.string(), hardware: z.string(), slotClass: z.string() }),
    state: z.enum(ROLLOUT_STATES),
    reason: z.string().nullable(),
    plan: planSchema,
    groups: z.array(
      z.object({
        name: z.string(),
        state: z.enum(['waiting', 'running', 'done']),
        approved: z.boolean(),
        bytes: z.number().int().openapi({ description: 'of payloads for the devices that were let in' }),
        devices: z.partialRecord(z.enum(MEMBER_STATES), z.number().int()),
      }),
    ),
    createdAt: instant,
    updatedAt: instant,
  })
  .openapi('Rollout');

export const rolloutMemberSchema = z
  .object({
    controllerId: z.string(),
    group: z.number().int(),
    state: z.enum(MEMBER_STATES),
    reason: z.string().nullable(),
    attempt: z.number().int(),
    actionId: z.number().int().nullable(),
  })
  .openapi('RolloutMember');

export const auditSchema = z
  .object({ at: instant, who: z.string(), what: z.string(), subject: z.string(), why: z.string().nullable() })
  .openapi('Audit');

export const commandSchema = z
  .object({ why: z.string().max(1000).optional().openapi({ description: 'kept in the audit log' }) })
  .openapi('RolloutCommand');

export const commandParam = z.object({
  id: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .openapi({ param: { name: 'id', in: 'path' }, type: 'integer' }),
  command: z.enum(['approve', 'start', 'pause', 'resume', 'stop']).openapi({ param: { name: 'command', in: 'path' } }),
});

export const memberQuery = afterQuery.extend({ state: z.enum(MEMBER_STATES).optional() });

export type NewRollout = z.input<typeof newRolloutSchema>;
export type Rollout = z.infer<typeof rolloutSchema>;
export type RolloutMember = z.infer<typeof rolloutMemberSchema>;
export type Audit = z.infer<typeof auditSchema>;
