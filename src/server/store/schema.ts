/**
 * The server's tables. Types that SQLite and PostgreSQL both have: integers, text; instants are milliseconds since
 * 1970, structures are JSON text, flags are 0 and 1.
 * @module
 */
import type { Generated } from 'kysely';
import type { GroupState } from '../rollouts/decide.ts';
import type { RolloutState } from '../rollouts/states.ts';
import type { JobTables } from '../jobs/schema.ts';

export interface Database extends JobTables {
  devices: DevicesTable;
  releases: ReleasesTable;
  deployments: DeploymentsTable;
  actions: ActionsTable;
  feedback: FeedbackTable;
  rollouts: RolloutsTable;
  rollout_groups: RolloutGroupsTable;
  rollout_members: RolloutMembersTable;
  rollout_deployments: RolloutDeploymentsTable;
  audit: AuditTable;
  device_keys: DeviceKeysTable;
}

/** What a device is known by. */
export interface DeviceName {
  readonly tenant: string;
  readonly controllerId: string;
}

export interface DevicesTable {
  tenant: string;
  controller_id: string;
  attributes: string;
  /** Taken out of the attributes, for deployments to all devices of a product and hardware. */
  product: string | null;
  hardware: string | null;
  /** What runs, as the device says; else what it last said to have installed. */
  version: string | null;
  /** Names of the payload formats that it reads, with blanks between; null where it has not said. */
  decodes: string | null;
  token_sha256: string | null;
  /** The next poll asks the device for its attributes. */
  attributes_wanted: number;
  first_seen: number;
  last_seen: number | null;
  last_address: string | null;
}

/** age recipients: `age1...`. */
export interface DeviceKeysTable {
  tenant: string;
  controller_id: string;
  recipient: string | null;
  /** What the device has told, and nobody has accepted. */
  offered: string | null;
  changed_at: number;
  revoked_at: number | null;
}

export interface ReleasesTable {
  id: Generated<number>;
  product: string;
  version: string;
  hardware: string;
  slot_class: string;
  rollback_index: number;
  published_at: string;
  artifact: string;
  payloads: string;
}

/** 'finished': every action has ended; one to all devices goes on with the next device of its kind. */
export const DEPLOYMENT_STATES = ['active', 'finished', 'cancelled', 'superseded'] as const;
export type DeploymentState = (typeof DEPLOYMENT_STATES)[number];

export interface DeploymentsTable {
  id: Generated<number>;
  tenant: string;
  release_id: number;
  /**
   * 'devices': those named at its creation; 'all': of the release's product and hardware, later ones too; 'rollout':
   * those that a rollout lets in.
   */
  selector: 'devices' | 'all' | 'rollout';
  state: DeploymentState;
  created_at: number;
}

/** The first three are active. */
export const ACTIVE_STATES = ['pending', 'running', 'cancelling'] as const;
export const ACTION_STATES = [...ACTIVE_STATES, 'finished', 'failed', 'cancelled', 'timed_out'] as const;
export type ActionState = (typeof ACTION_STATES)[number];

/** One device's part in a deployment; hawkBit's word. */
export interface ActionsTable {
  id: Generated<number>;
  tenant: string;
  controller_id: string;
  deployment_id: number;
  release_id: number;
  state: ActionState;
  /** The last numeric code that the device reported. */
  code: number | null;
  /** 0, 10, 20, 30 or 40, once it has ended by a report: also of clients that know no such numbers. */
  outcome: number | null;
  /** The sub-code of an engraft agent's last report, by name and number. */
  reason: string | null;
  sub_status: number | null;
  /** What ran when the device fetched the action: it tells which payload is meant for it. */
  source_version: string | null;
  retrieved_at: number | null;
  created_at: number;
  updated_at: number;
}

export interface FeedbackTable {
  id: Generated<number>;
  action_id: number;
  /** SHA-256 of what was reported: the same report twice is one row. */
  digest: string;
  channel: 'deployment' | 'cancel';
  execution: string;
  finished: string;
  code: number | null;
  details: string;
  received_at: number;
}

export interface RolloutsTable {
  id: Generated<number>;
  tenant: string;
  name: string;
  release_id: number;
  state: RolloutState;
  /** A RolloutPlan. */
  plan: string;
  /** Why it is in this state. */
  reason: string | null;
  /** Thousandths of a device that may be let in, as of `credits_at`. */
  credits: number;
  credits_at: number;
  created_at: number;
  updated_at: number;
}

export interface RolloutGroupsTable {
  rollout_id: number;
  position: number;
  state: GroupState;
  approved: number;
  /** Failures that an operator has passed over by going on after a halt. */
  forgiven: number;
  /** Payload bytes of the devices that were let in. */
  bytes: number;
  /** Members in these states; see `moveMember`. */
  waiting: number;
  open: number;
  succeeded: number;
  failed: number;
}

/** 'left_out': over a byte budget; 'withdrawn': something else was assigned to it, or it was cancelled. */
export const MEMBER_STATES = ['waiting', 'open', 'succeeded', 'failed', 'left_out', 'withdrawn'] as const;
export type MemberState = (typeof MEMBER_STATES)[number];

export interface RolloutMembersTable {
  rollout_id: number;
  controller_id: string;
  /** Of its group. */
  position: number;
  state: MemberState;
  reason: string | null;
  /** How often it was let in, and how often that failed. */
  attempt: number;
  failures: number;
  action_id: number | null;
  /** Not let in before this. */
  due_at: number;
  let_in_at: number | null;
}

export interface RolloutDeploymentsTable {
  rollout_id: number;
  attempt: number;
  deployment_id: number;
}

/** Who did what to what, and why; written in the same transaction. */
export interface AuditTable {
  id: Generated<number>;
  tenant: string;
  at: number;
  /** The server itself for what follows from what devices report. */
  who: string;
  what: string;
  /** Such as `rollout/7`. */
  subject: string;
  why: string | null;
}
