/**
 * The demo's health check: does the slot that runs hold a program for its processor?
 *
 *   node health.js CHOICE_FILE SLOT_A SLOT_B
 * @module
 */
import { openSync, readFileSync, readSync } from 'node:fs';

const ELF_MAGIC = '7f454c46';

const [choiceFile, slotA, slotB] = process.argv.slice(2) as [string, string, string];
const running = /^slot=B$/m.test(readFileSync(choiceFile, 'utf8')) ? slotB : slotA;
const start = Buffer.alloc(4);
readSync(openSync(running, 'r'), start, 0, 4, 0);
if (start.toString('hex') !== ELF_MAGIC) {
  console.error(`not a program: ${running} begins with ${start.toString('hex')}`);
  process.exitCode = 1;
}
