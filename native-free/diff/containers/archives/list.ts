/**
 * All kinds of archives.
 * @module
 */
import type { ContainerFinder } from '../container.ts';
import { ar } from './ar.ts';
import { cpio } from './cpio.ts';
import { oldTar, tar } from './tar.ts';
import { ubi } from './ubi.ts';
import { zip } from './zip.ts';

/** Each says the bytes that it is recognized by, or wants to be asked only where the searched bytes begin. */
export const archives: readonly ContainerFinder[] = [zip, tar, cpio, ar, ubi, oldTar];
