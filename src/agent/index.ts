/**
 * The device agent: `engraft/agent`. `text` is a configuration, whose paths are of `folder`.
 *
 * `parseConfig` throws UpdateError `config_invalid`. `run` ends with a result (`code`, `status`, `message`) whatever
 * becomes of an update, and throws what is no outcome of an attempt: `agent_running`, `aborted`, and faults of storage
 * (1000, 6000) or boot control (7000) that last; with `once` also what is wrong with metadata (4000) or link (5000), and
 * what says "not now" (8000). `status` throws nothing: what cannot be read is in `problems`.
 *
 * Of its parts boot controls throw `boot_unreadable`, `boot_unwritable`, `boot_readback`, `boot_tool_failed` and
 * `slot_active`; slots `slot_missing`, `slot_unreadable`, `slot_unwritable`, `slot_too_small`, `slot_read_only`,
 * `slot_mounted` and `slot_active`; keystores `keystore_failed`; the journal `record_malformed`, `record_foreign`,
 * `input_unreadable` and `output_unwritable`; `DdiClient` `http_status`, `content_wrong` and what its network throws:
 * `link_failed`, `link_slow`, `proxy_refused`, `tls_unusable`. Where the system says more, its code comes (`disk_full`).
 *
 * @example
 * const agent = new Agent(parseConfig(text, folder), { onEvent: (event) => console.error(event) });
 * const { status } = await agent.run({ once: true });
 * @module
 */
export { Agent } from './agent.ts';
export type { AgentParts, RunOptions, RunResult } from './agent.ts';
export { VariableBootControl } from './boot/control.ts';
export type { BootControl, BootState, BootVariables } from './boot/control.ts';
export { FileBootVariables, formatVariables, parseVariables } from './boot/file.ts';
export { runCommand } from './life/commands.ts';
export type { CommandRequest, CommandResult, CommandRunner } from './life/commands.ts';
export { parseConfig } from './config/config.ts';
export type { AgentConfig } from './config/config.ts';
export type { AgentEvent, World } from './context.ts';
export { DdiClient } from './service/ddi.ts';
export type {
  ActionNews,
  Deployment,
  DeploymentSource,
  PollResult,
  Proceeding,
  Report,
} from './service/deployments.ts';
export { FileTarget } from './boot/file-target.ts';
export { emptyJournal, Journal } from './records/journal.ts';
export type {
  Attempt,
  ConfirmedSlot,
  DeviceName,
  EndedAction,
  FinishedAttempt,
  ImageId,
  JournalBody,
  Plan,
  RejectedSlot,
  ReleaseName,
} from './records/journal.ts';
export type { AttemptOutcome } from './records/outcome.ts';
export type { Handling, ServerWords } from './service/words.ts';
export { STATES } from './states/states.ts';
export type { State } from './states/states.ts';
export { AnchoredKeystore } from './keystore/anchored.ts';
export { FileKeystore } from './keystore/file.ts';
export type { KeystoreHardware } from './keystore/hardware.ts';
export { rollbackCounter } from './keystore/keystore.ts';
export type { Keystore } from './keystore/keystore.ts';
export { FileSlots } from './slots/slots.ts';
export type { OpenSink, OpenSource, SlotSet } from './slots/slots.ts';
export { statusOf } from './status.ts';
export { deviceOf, journalOf } from './records/device-journal.ts';
export type { AgentStatus, PlaceStatus } from './status.ts';
export { nodeClock } from '../platform/clock.ts';
export type { Clock } from '../platform/clock.ts';
export type { FileHandle, FileStat, FileSystem } from '../platform/filesystem.ts';
export { nodeNetwork } from '../platform/http/node-network.ts';
export type { Network, NetworkRequest, NetworkResponse } from '../platform/network.ts';
export { nodeFileSystem } from '../platform/node-filesystem.ts';
