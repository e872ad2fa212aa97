/**
 * What the agent's commands share: reading the configuration.
 * @module
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ioError } from '../../../native-free/io-error.ts';
import type { AgentConfig } from '../../agent/index.ts';
import type { CommonOptions } from '../terminal/frame.ts';

export interface AgentCommandOptions extends CommonOptions {
  readonly config: string;
}

export const DEFAULT_CONFIG = '/etc/engraft/agent.toml';

/** `read` takes up all values by the file's own names. Throws `input_unreadable` or `config_invalid`. */
export async function readConfig(path: string, read?: Map<string, unknown>): Promise<AgentConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw ioError(cause, 'input_unreadable', `cannot read the configuration ${path}`, { path });
  }
  const { parseConfig } = await import('../../agent/config/config.ts');
  return parseConfig(text, dirname(resolve(path)), path, read);
}
