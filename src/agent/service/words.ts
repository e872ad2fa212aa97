/**
 * What the server allows: hawkBit's words for a deployment (`download`, `update`, `maintenanceWindow`). The download may
 * go on outside a maintenance window; leaving the running slot waits for it.
 * @module
 */
import { UpdateError } from '../../../native-free/status.ts';

/** How urgent a step is to the server: not yet, as the device sees fit, or without asking anybody. */
export const HANDLINGS = ['skip', 'attempt', 'forced'] as const;
export type Handling = (typeof HANDLINGS)[number];

/** What the server allows at present, in hawkBit's words. */
export interface ServerWords {
  /** Fetching the release and writing it into the slot that does not run. */
  readonly download: Handling;
  /** Leaving the running slot for it. */
  readonly update: Handling;
  /** Null where the deployment has no maintenance window. */
  readonly maintenanceWindow: 'available' | 'unavailable' | null;
}

const holds = (what: string, detail: Readonly<Record<string, unknown>>): UpdateError =>
  new UpdateError('server_holds', `the server does not allow ${what} yet`, { detail });

/** Throws `server_holds`. */
export function requireDownload(words: ServerWords | null): void {
  if (words?.download === 'skip') throw holds('the download (download is skip)', { download: words.download });
}

/**
 * `isFresh`: the server was asked just now. A window may have ended since it was last heard, so without an answer it
 * counts as closed; what the server had allowed without a window stays allowed. Throws `server_holds`.
 */
export function requireUpdate(words: ServerWords | null, isFresh: boolean): void {
  if (words === null) return;
  const { update, maintenanceWindow } = words;
  if (maintenanceWindow === 'unavailable') {
    throw holds('the installation (outside its maintenance window)', { maintenanceWindow });
  }
  if (update === 'skip') throw holds('the installation (update is skip)', { update });
  if (maintenanceWindow === 'available' && !isFresh) {
    throw holds('the installation (whether its maintenance window still is open is not known)', { maintenanceWindow });
  }
}
