/**
 * What all scenarios share: the images, published once, and new boards made from them.
 *
 * Images and repository are kept in the cache behind a stamp of everything they are made from, because the diff of two
 * kernels takes most of a minute.
 * @module
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCard, makeDisk, TOOLS, DATA } from './board.ts';
import { makeData, makeImage, makeTools, type Pieces } from './images.ts';
import { EDITIONS, FROM } from './editions.ts';
import type { BoardFiles } from './machine.ts';
import { HARDWARE, PRODUCT, Publisher, type Server } from './publisher.ts';

export const DEVICE = 'board-1';

export interface WorkshopOptions extends Pieces {
  /** The program `engraft`. */
  readonly engraft: string;
  /** The folder of these sources' text, for the stamp. */
  readonly sources: readonly string[];
  readonly say: (text: string) => void;
}

/** A board's files, and what is needed to make it afresh. */
export interface Board extends BoardFiles {
  readonly folder: string;
}

export class Workshop {
  readonly publisher: Publisher;
  readonly #options: WorkshopOptions;
  readonly #folder: string;

  constructor(options: WorkshopOptions) {
    this.#options = options;
    this.#folder = join(options.cache, 'made');
    this.publisher = new Publisher(options.engraft, this.#folder);
  }

  imageOf(version: string): string {
    return join(this.#folder, `${version}.img`);
  }

  /** Make and publish the editions up to this version, unless they are there, made from the same things. */
  prepare(upTo: string): void {
    const { cache, say } = this.#options;
    mkdirSync(this.#folder, { recursive: true });
    const stampFile = join(this.#folder, 'stamp');
    const stamp = this.#stamp();
    const [stamped, count] = existsSync(stampFile) ? readFileSync(stampFile, 'utf8').split(' ') : [];
    let made = stamped === stamp ? Number(count) : 0;
    if (made === 0) {
      this.publisher.clear();
      makeTools(cache, join(this.#folder, 'tools.img'), TOOLS.bytes);
    }
    const wanted = EDITIONS.findIndex(({ version }) => version === upTo) + 1;
    for (; made < wanted; made++) {
      const edition = EDITIONS[made]!;
      say(`making and publishing ${edition.version}`);
      rmSync(stampFile, { force: true });
      makeImage(this.#options, edition, this.imageOf(edition.version));
      this.publisher.publish(edition, this.imageOf(edition.version));
      writeFileSync(stampFile, `${stamp} ${made + 1}`);
    }
  }

  #stamp(): string {
    const { cache, guest, agent, sources } = this.#options;
    const hash = createHash('sha256');
    for (const step of ['packages', 'kernel', 'node']) hash.update(readFileSync(join(cache, `${step}.stamp`)));
    for (const name of readdirSync(guest).sort()) hash.update(readFileSync(join(guest, name)));
    for (const file of [agent, ...sources]) hash.update(readFileSync(file));
    return hash.digest('hex');
  }

  /** A new board: version 1.0.0 in slot A, nothing in slot B, configured for this server; `changes` as in `makeCard`. */
  makeBoard(name: string, server: Server, changes: Readonly<Record<string, string>> = {}): Board {
    const folder = join(this.#options.cache, 'runs', name);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const data = join(folder, 'data.img');
    makeData(
      { 'agent.toml': configOf(server.port), 'root.json': readFileSync(this.publisher.pinnedRoot) },
      data,
      DATA.bytes,
    );
    const board = { ...this.filesIn(folder), folder };
    makeDisk(board.disk, { slotA: this.imageOf(FROM), tools: join(this.#folder, 'tools.img'), data });
    rmSync(data);
    makeCard(board.card, changes);
    return board;
  }

  filesIn(folder: string): BoardFiles {
    const at = (name: string): string => join(folder, name);
    return { uboot: this.#uboot(folder), disk: at('disk.img'), card: at('card.img'), log: at('console.txt') };
  }

  /** The boot loader, where QEMU may keep it open without holding the cached one. */
  #uboot(folder: string): string {
    const copy = join(folder, 'u-boot.bin');
    if (!existsSync(copy)) copyFileSync(join(this.#options.cache, 'uboot/u-boot.bin'), copy);
    return copy;
  }
}

const configOf = (port: number): string => `[device]
controller_id = "${DEVICE}"
product = "${PRODUCT}"
hardware = "${HARDWARE}"

[server]
url = "http://10.0.2.2:${port}"
poll_seconds = 3

[data]
folder = "/data/engraft"

[trust]
root = "/data/root.json"

[slots]
A = "/dev/vda1"
B = "/dev/vda2"

[boot]
backend = "uboot"
config_file = "/etc/fw_env.config"
tries = 3
bootcount = "reset"
reboot_command = ["/sbin/reboot", "-f"]

[limits]
backoff_most_ms = 3000

[health]
commands = [["/bin/health"]]
deadline_seconds = 60
`;
