/**
 * The boot loader of the file backend: takes the first slot in order that has tries left, uses one up, and says in the
 * choice file what it chose. It does what a RAUC boot script for U-Boot does, and shares no code with the agent: what
 * the agent writes wrongly it must stumble over.
 * @module
 */
import type { FileSystem } from '../platform/filesystem.ts';

export interface FakeBootLoaderOptions {
  readonly fs: FileSystem;
  readonly stateFile: string;
  readonly choiceFile: string;
}

export class FakeBootLoader {
  readonly #options: FakeBootLoaderOptions;
  #boots = 0;

  constructor(options: FakeBootLoaderOptions) {
    this.#options = options;
  }

  /** First state: `slots` in this order, each of `good` with `tries` left, others with none. */
  async install(slots: readonly string[], good: readonly string[], tries = 3): Promise<void> {
    const left = slots.map((slot) => `BOOT_${slot}_LEFT=${good.includes(slot) ? tries : 0}\n`);
    await this.#replace(this.#options.stateFile, `BOOT_ORDER=${slots.join(' ')}\n${left.join('')}`);
  }

  /** Boot. Returns the slot, or null when no slot has tries left: the device is bricked. */
  async boot(): Promise<string | null> {
    const { stateFile, choiceFile } = this.#options;
    const text = await this.#read(stateFile);
    const order = /^BOOT_ORDER=(.*)$/m.exec(text)?.[1]?.split(' ') ?? [];
    const left = (slot: string): number => Number(new RegExp(`^BOOT_${slot}_LEFT=(\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    const slot = order.find((name) => left(name) > 0);
    if (slot === undefined) return null;
    const used = new RegExp(`^BOOT_${slot}_LEFT=.*$`, 'm');
    await this.#replace(stateFile, text.replace(used, `BOOT_${slot}_LEFT=${left(slot) - 1}`));
    await this.#replace(choiceFile, `slot=${slot}\nboot_id=boot-${++this.#boots}-${slot}\n`);
    return slot;
  }

  async #read(path: string): Promise<string> {
    const { fs } = this.#options;
    if ((await fs.stat(path)) === null) return '';
    const file = await fs.open(path, 'read');
    try {
      const bytes = new Uint8Array(await file.size());
      await file.read(bytes, 0);
      return new TextDecoder().decode(bytes);
    } finally {
      await file.close();
    }
  }

  async #replace(path: string, text: string): Promise<void> {
    const { fs } = this.#options;
    const file = await fs.open(`${path}.boot`, 'create');
    try {
      await file.write(new TextEncoder().encode(text), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(`${path}.boot`, path);
    await fs.syncFolder(path.slice(0, path.lastIndexOf('/')) || '/');
  }
}
