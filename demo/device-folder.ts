/**
 * The demo's device as it leaves the factory: two slot files, boot variables, a pinned root, one TOML file.
 * @module
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256Pure } from '../native-free/index.ts';
import { journalOf, nodeFileSystem, parseConfig } from '../src/agent/index.ts';
import { FakeBootLoader } from '../src/testing/index.ts';

export const PRODUCT = 'demo-router';
export const HARDWARE = 'arm64';

export const sha256Of = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Paths of one device. */
export class DeviceFolder {
  readonly config: string;
  readonly slots: { readonly A: string; readonly B: string };
  readonly bootState: string;
  readonly bootChoice: string;
  readonly #folder: string;
  readonly #loader: FakeBootLoader;

  constructor(folder: string) {
    this.#folder = folder;
    this.config = join(folder, 'agent.toml');
    this.slots = { A: join(folder, 'slot-a.img'), B: join(folder, 'slot-b.img') };
    this.bootState = join(folder, 'boot-state');
    this.bootChoice = join(folder, 'boot-choice');
    this.#loader = new FakeBootLoader({ fs: nodeFileSystem, stateFile: this.bootState, choiceFile: this.bootChoice });
  }

  /** Image into slot A, slot B empty, and the journal knows what it shipped with. */
  async manufacture(image: string, version: string, rootJson: string, serverUrl: string): Promise<void> {
    const data = join(this.#folder, 'data');
    mkdirSync(data, { recursive: true });
    copyFileSync(image, this.slots.A);
    writeFileSync(this.slots.B, '');
    copyFileSync(rootJson, join(this.#folder, 'root.json'));
    const health = [process.execPath, fileURLToPath(new URL('./health.js', import.meta.url))];
    const command = [...health, this.bootChoice, this.slots.A, this.slots.B];
    writeFileSync(this.config, this.#toml(serverUrl, command));
    const config = parseConfig(readFileSync(this.config, 'utf8'), this.#folder, this.config);
    const journal = journalOf(config, { fs: nodeFileSystem, hash: sha256Pure });
    const body = await journal.load();
    body.confirmed = { slot: 'A', counters: {} };
    body.slots['A'] = { bytes: readFileSync(image).length, sha256: sha256Of(image), version };
    await journal.save();
    await this.#loader.install(['A', 'B'], ['A']);
    await this.powerOn();
  }

  /** What the boot loader does; the slot that runs now. */
  async powerOn(): Promise<string> {
    return (await this.#loader.boot()) ?? 'none';
  }

  bootVariables(): string {
    return readFileSync(this.bootState, 'utf8');
  }

  #toml(serverUrl: string, health: readonly string[]): string {
    const text = (value: string): string => JSON.stringify(value);
    return `[device]
controller_id = "demo-device-1"
product = ${text(PRODUCT)}
hardware = ${text(HARDWARE)}

[server]
url = ${text(serverUrl)}

[data]
folder = "data"

[trust]
root = "root.json"

[slots]
A = "slot-a.img"
B = "slot-b.img"

[boot]
state_file = "boot-state"
choice_file = "boot-choice"

[limits]
backoff_first_ms = 200

[health]
commands = [${JSON.stringify(health)}]
deadline_seconds = 30
`;
  }
}
