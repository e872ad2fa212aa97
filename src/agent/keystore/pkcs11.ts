/**
 * A PKCS#11 token (smart card, secure element, HSM) through pkcs11js: private data objects that need the user's PIN.
 *
 * `engraft-pin` can be neither changed nor destroyed. `engraft-anchor` holds an epoch, the digest of the record that
 * counts, and the rollback counters. It is replaced by making the one of the next epoch and destroying the earlier one, so
 * a power cut leaves one or both; the highest epoch counts. Objects that are not private are not ours: without a PIN
 * anybody can make those.
 *
 * A PIN is never tried twice, and not when one try is left: an agent that asks every few minutes would lock the token.
 * @module
 */
import { createRequire } from 'node:module';
import type { Handle, PKCS11 } from 'pkcs11js';
import type * as Names from 'pkcs11js';
import { UpdateError } from '../../../native-free/status.ts';
import { readSmallFile, type FileSystem } from '../../platform/filesystem.ts';
import type { Pkcs11Config } from '../config/keystore.ts';
import type { KeystoreHardware } from './hardware.ts';

export interface Pkcs11Options extends Pkcs11Config {
  readonly fs: FileSystem;
}

interface AnchorValue {
  readonly epoch: number;
  readonly digest: string;
  readonly counters: Readonly<Record<string, number>>;
}

interface Session {
  readonly api: PKCS11;
  readonly names: typeof Names;
  readonly handle: Handle;
}

const PIN_LABEL = 'engraft-pin';
const ANCHOR_LABEL = 'engraft-anchor';
const APPLICATION = 'engraft';
/** Anchors that cuts have left; one that is never cleared away is a token that destroys nothing. */
const OBJECTS_MAX = 64;

export class Pkcs11Token implements KeystoreHardware {
  readonly name = 'the PKCS#11 token';
  readonly #options: Pkcs11Options;
  #session: Session | null = null;
  /** The token did not take it. */
  #wrongPin: string | null = null;

  constructor(options: Pkcs11Options) {
    this.#options = options;
  }

  pin(): Promise<string | null> {
    return this.#with((session) => {
      const [value, ...more] = this.#values(session, PIN_LABEL);
      if (more.length > 0) throw this.#error(`it has ${more.length + 1} objects '${PIN_LABEL}', and should have one`);
      if (value === undefined) return null;
      if (/^[0-9a-f]{64}$/.test(value.text)) return value.text;
      throw this.#error(`object '${PIN_LABEL}' holds something else than a digest`);
    });
  }

  async anchor(): Promise<string | null> {
    return (await this.#with((session) => this.#newest(session)))?.digest ?? null;
  }

  async counters(): Promise<Readonly<Record<string, number>>> {
    return (await this.#with((session) => this.#newest(session)))?.counters ?? {};
  }

  commit(digest: string, counters: Readonly<Record<string, number>>): Promise<void> {
    return this.#with((session) => {
      const before = this.#newest(session);
      const kept: Record<string, number> = { ...before?.counters };
      for (const [name, value] of Object.entries(counters)) {
        if (name.startsWith('rollback.')) kept[name] = Math.max(kept[name] ?? 0, value);
      }
      const epoch = (before?.epoch ?? 0) + 1;
      const text = JSON.stringify({ epoch, digest, counters: kept } satisfies AnchorValue);
      if (before?.digest !== digest || JSON.stringify(before.counters) !== JSON.stringify(kept)) {
        this.#create(session, ANCHOR_LABEL, text, true);
      }
      const newest = this.#newest(session);
      if (newest?.digest !== digest) throw this.#error('the anchor does not read back');
      for (const { object, text: value } of this.#values(session, ANCHOR_LABEL)) {
        if ((JSON.parse(value) as AnchorValue).epoch < newest.epoch)
          session.api.C_DestroyObject(session.handle, object);
      }
    });
  }

  provision(pin: string): Promise<void> {
    return this.#with((session) => {
      if (this.#values(session, PIN_LABEL).length > 0) throw this.#error('it has a pin already');
      this.#create(session, PIN_LABEL, pin, false);
    });
  }

  #create({ api, names, handle }: Session, label: string, text: string, destroyable: boolean): void {
    api.C_CreateObject(handle, [
      { type: names.CKA_CLASS, value: names.CKO_DATA },
      { type: names.CKA_TOKEN, value: true },
      { type: names.CKA_PRIVATE, value: true },
      { type: names.CKA_MODIFIABLE, value: false },
      { type: names.CKA_DESTROYABLE, value: destroyable },
      { type: names.CKA_LABEL, value: label },
      { type: names.CKA_APPLICATION, value: APPLICATION },
      { type: names.CKA_VALUE, value: Buffer.from(text) },
    ]);
  }

  #values({ api, names, handle }: Session, label: string): { object: Handle; text: string }[] {
    api.C_FindObjectsInit(handle, [
      { type: names.CKA_CLASS, value: names.CKO_DATA },
      { type: names.CKA_PRIVATE, value: true },
      { type: names.CKA_APPLICATION, value: APPLICATION },
      { type: names.CKA_LABEL, value: label },
    ]);
    let objects: Handle[];
    try {
      objects = api.C_FindObjects(handle, OBJECTS_MAX + 1);
    } finally {
      api.C_FindObjectsFinal(handle);
    }
    if (objects.length > OBJECTS_MAX) throw this.#error(`it has more than ${OBJECTS_MAX} objects '${label}'`);
    return objects.map((object) => {
      const [attribute] = api.C_GetAttributeValue(handle, object, [{ type: names.CKA_VALUE }]);
      return { object, text: Buffer.from((attribute?.value as Buffer | undefined) ?? []).toString('utf8') };
    });
  }

  #newest(session: Session): AnchorValue | null {
    let newest: AnchorValue | null = null;
    for (const { text } of this.#values(session, ANCHOR_LABEL)) {
      const value = parseAnchor(text);
      if (value === null) throw this.#error(`an object '${ANCHOR_LABEL}' holds something else than an anchor`);
      if (newest === null || value.epoch > newest.epoch) newest = value;
    }
    return newest;
  }

  /** A session that was lost (a token that was pulled, a module that was restarted) is opened again by the next call. */
  async #with<T>(work: (session: Session) => T): Promise<T> {
    try {
      this.#session ??= await this.#open();
      return work(this.#session);
    } catch (error) {
      this.close();
      if (UpdateError.is(error)) throw error;
      throw this.#error(reasonOf(error), error);
    }
  }

  /** Log out and let the module go. */
  close(): void {
    const { api } = this.#session ?? {};
    this.#session = null;
    if (api !== undefined) letGo(api);
  }

  async #open(): Promise<Session> {
    const { fs, module, token, pinFile } = this.#options;
    const names = await this.#addon();
    const bytes = await readSmallFile(fs, pinFile, 4096);
    if (bytes === null) throw this.#error(`the file with its PIN, ${pinFile}, does not exist`);
    const pin = new TextDecoder().decode(bytes).trim();
    if (pin === this.#wrongPin) throw this.#error(`CKR_PIN_INCORRECT: the PIN in ${pinFile} is not tried again`);
    const api = new names.PKCS11();
    api.load(module);
    try {
      api.C_Initialize();
      const slot = api.C_GetSlotList(true).find((each) => api.C_GetTokenInfo(each).label.trim() === token);
      if (slot === undefined) throw this.#error(`no token with the label '${token}' is present`);
      if ((api.C_GetTokenInfo(slot).flags & names.CKF_USER_PIN_FINAL_TRY) !== 0) {
        throw this.#error("one try of its PIN is left: log in with the right PIN and the token's own tool first");
      }
      const handle = api.C_OpenSession(slot, names.CKF_SERIAL_SESSION | names.CKF_RW_SESSION);
      api.C_Login(handle, names.CKU_USER, pin);
      return { api, names, handle };
    } catch (error) {
      if (error instanceof Error && /CKR_PIN_INCORRECT/.test(error.message)) this.#wrongPin = pin;
      letGo(api);
      throw error;
    }
  }

  /** Native, and only needed here: it is not in the bundle. */
  async #addon(): Promise<typeof Names> {
    const { addon } = this.#options;
    try {
      if (addon !== null) return createRequire(`${addon}/`)(addon) as typeof Names;
      const loaded = await import('pkcs11js');
      return 'default' in loaded ? (loaded.default as typeof Names) : loaded;
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
      throw this.#error(
        `the npm package pkcs11js cannot be loaded (keystore.addon says where it is): ${reason}`,
        error,
      );
    }
  }

  #error(what: string, cause?: unknown): UpdateError {
    return new UpdateError('keystore_failed', `keystore with ${this.name} '${this.#options.token}': ${what}`, {
      cause,
    });
  }
}

/** What goes wrong here says nothing new. */
function letGo(api: PKCS11): void {
  try {
    api.C_Finalize();
    api.close();
  } catch {
    // It is gone already.
  }
}

/** With the call and the number: pkcs11js has no names for newer codes and those of vendors. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { method, code } = error as { method?: unknown; code?: unknown };
  return typeof method === 'string' ? `${method}: ${error.message} (${String(code)})` : error.message;
}

function parseAnchor(text: string): AnchorValue | null {
  try {
    const { epoch, digest, counters } = JSON.parse(text) as Partial<AnchorValue>;
    const good =
      Number.isSafeInteger(epoch) && typeof digest === 'string' && typeof counters === 'object' && counters !== null;
    return good ? { epoch: epoch!, digest, counters } : null;
  } catch {
    return null;
  }
}
