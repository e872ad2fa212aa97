/**
 * The device agent: `engraft/agent`.
 *
 * @example
 * const agent = new Agent(parseConfig(text, folder), { onEvent: (event) => console.error(event) });
 * const { status } = await agent.run({ once: true });
 * @module
 */
export { Agent } from './agent.ts';
export type { AgentParts, RunOptions, RunResult } from './agent.ts';
export { VariableBootControl } from './boot-control.ts';
export type { BootControl, BootState, BootVariables } from './boot-control.ts';
export { FileBootVariables, formatVariables, parseVariables } from './boot-file.ts';
export { runCommand } from './commands.ts';
export type { CommandRequest, CommandResult, CommandRunner } from './commands.ts';
export { parseConfig } from './config.ts';
export type { AgentConfig } from './config.ts';
export type { AgentEvent, World } from './context.ts';
export { DdiClient } from './ddi.ts';
export type {
  ActionNews,
  Deployment,
  DeploymentSource,
  Handling,
  PollResult,
  Proceeding,
  Report,
  ServerWords,
} from './deployments.ts';
export { FileTarget } from './file-target.ts';
export { emptyJournal, Journal, STATES } from './journal.ts';
export type {
  Attempt,
  AttemptOutcome,
  ConfirmedSlot,
  DeviceName,
  EndedAction,
  FinishedAttempt,
  ImageId,
  JournalBody,
  Plan,
  RejectedSlot,
  ReleaseName,
  State,
} from './journal.ts';
export { AnchoredKeystore } from './keystore-anchored.ts';
export { FileKeystore } from './keystore-file.ts';
export type { KeystoreHardware } from './keystore-hardware.ts';
export { rollbackCounter } from './keystore.ts';
export type { Keystore } from './keystore.ts';
export { FileSlots } from './slots.ts';
export type { OpenSink, OpenSource, SlotSet } from './slots.ts';
export { statusOf } from './status.ts';
export { deviceOf, journalOf } from './start/device-journal.ts';
export type { AgentStatus, PlaceStatus } from './status.ts';
export { nodeClock } from '../transfer/clock.ts';
export type { Clock } from '../transfer/clock.ts';
export type { FileHandle, FileStat, FileSystem } from '../transfer/filesystem.ts';
export { nodeNetwork } from '../transfer/node-network.ts';
export type { Network, NetworkRequest, NetworkResponse } from '../transfer/network.ts';
export { nodeFileSystem } from '../transfer/node-filesystem.ts';
