/**
 * The tables of what is made by and by: jobs, releases in the making, the payloads planned for them, uploads.
 * @module
 */
import type { Generated } from 'kysely';
import type { JobState } from './queue.ts';

export interface JobTables {
  jobs: JobsTable;
  publications: PublicationsTable;
  planned_payloads: PlannedPayloadsTable;
  uploads: UploadsTable;
  delta_waits: DeltaWaitsTable;
}

export interface JobsTable {
  id: Generated<number>;
  key: string;
  kind: string;
  input: string;
  priority: number;
  memory_bytes: number;
  /** Jobs of one affinity share what a worker keeps. */
  affinity: string;
  state: JobState;
  progress_permille: number;
  phase: string | null;
  attempts: number;
  worker: string | null;
  /** Of a running job: until then it is its worker's. */
  lease_until: number | null;
  /** A queued one is not begun before. */
  run_after: number;
  cancel_wanted: number;
  result: string | null;
  error_code: string | null;
  error_message: string | null;
  created_at: number;
  updated_at: number;
}

export const PUBLICATION_STATES = ['making', 'published', 'failed'] as const;
export type PublicationState = (typeof PUBLICATION_STATES)[number];

/** A release on its way into the repository. */
export interface PublicationsTable {
  id: Generated<number>;
  product: string;
  version: string;
  hardware: string;
  slot_class: string;
  artifact: string;
  /** JSON of what was asked for: rollback index, what is planned. */
  wishes: string;
  state: PublicationState;
  error: string | null;
  created_at: number;
  updated_at: number;
}

export const PLANNED_STATES = ['wanted', 'published', 'dropped', 'failed', 'cancelled'] as const;
export type PlannedState = (typeof PLANNED_STATES)[number];

/** A payload that a release is to get, and the job that makes it. */
export interface PlannedPayloadsTable {
  id: Generated<number>;
  product: string;
  version: string;
  hardware: string;
  slot_class: string;
  kind: 'full' | 'delta';
  /** Empty for the full payload. */
  source_sha256: string;
  source_version: string | null;
  job_key: string;
  job_id: string;
  state: PlannedState;
  reason: string | null;
  origin: 'plan' | 'demand';
  /** That ran the source when it was planned. */
  devices: number;
  estimate_bytes: number;
  created_at: number;
  updated_at: number;
}

export interface UploadsTable {
  id: string;
  bytes: number;
  sha256: string;
  filename: string | null;
  /** JSON of its digests once it is whole and was checked. */
  digests: string | null;
  created_at: number;
  touched_at: number;
}

/** Deployments whose devices wait for a delta, and for how long. */
export interface DeltaWaitsTable {
  deployment_id: number;
  wait_ms: number;
}
