/**
 * SHA-256 by node:crypto, 16 times the native-free default.
 * @module
 */
import { createHash } from 'node:crypto';
import type { HashFactory } from '../../native-free/io.ts';

export const sha256Node: HashFactory = () => createHash('sha256');
