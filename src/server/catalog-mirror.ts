/**
 * Keeps the store's releases up to date with the repository: whenever timestamp.json is another file than before, the
 * catalog is read again, and when the database is another one. So a `publish` shows in a running server without a word between the two.
 * @module
 */
import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import { UpdateError } from '../../native-free/status.ts';
import { Repository } from '../release/index.ts';
import type { Store } from './store/index.ts';

export class CatalogMirror {
  readonly #repository: Repository;
  readonly #store: Store;
  readonly #logger: Logger;
  #mirrored = '';
  #running: Promise<void> | null = null;

  constructor(repo: string, store: Store, logger: Logger) {
    this.#repository = new Repository(repo);
    this.#store = store;
    this.#logger = logger;
  }

  /** Never throws: a repository that cannot be read is logged, and what was known before stays. */
  async refresh(): Promise<void> {
    const present = await this.#fingerprint();
    if (present === this.#mirrored) return;
    this.#running ??= this.#mirror(present).finally(() => (this.#running = null));
    await this.#running;
  }

  async #mirror(present: string): Promise<void> {
    try {
      const { catalog } = await this.#repository.state();
      await this.#store.releases.mirror(catalog);
      this.#mirrored = present;
    } catch (error) {
      this.#logger.error({ err: UpdateError.from(error) }, 'the repository cannot be read; serving what was known');
    }
  }

  async #fingerprint(): Promise<string> {
    try {
      const facts = await stat(this.#repository.layout.timestamp);
      return `${facts.ino}-${facts.mtimeMs}-${facts.size} ${this.#store.generation()}`;
    } catch {
      return '';
    }
  }
}
