/**
 * What is allowed in a configuration and should not go unsaid.
 * @module
 */
import type { AgentConfig } from './config.ts';

/** For people; empty where there is nothing to say. */
export function adviceOn({ health }: Pick<AgentConfig, 'health'>): string[] {
  if (health.commands.length > 0) return [];
  return [
    'health.commands is empty: every release that starts the agent is confirmed untested, and none ever goes back by itself. Name a command that exits with 0 when the device works',
  ];
}
