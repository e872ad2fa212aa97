/**
 * All kinds of archives.
 * @module
 */
import type { ContainerFinder } from '../container.ts';
import { zip } from './zip.ts';

export const archives: readonly ContainerFinder[] = [zip];
