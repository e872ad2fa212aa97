/**
 * The device agent: `engraft/agent`. `text` is a configuration, whose paths are of `folder`.
 *
 * `parseConfig` throws UpdateError `config_invalid`. `run` ends with a result (`code`, `status`, `outcome`) whatever
 * becomes of an update, and throws what is no outcome of an attempt, under the code of whatever failed.
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
