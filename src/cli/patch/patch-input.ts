/**
 * The patch as a command takes it: a file, a named pipe, or standard input (`-`).
 *
 * Pipes are read through the event loop, so that a signal is heard while nothing comes; files by plain reads, which
 * cost less (platform/files/node-io.ts). Only files know their size.
 *
 * @module
 */
import { constants, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs';
import { isatty } from 'node:tty';
import { concat } from '../../../native-free/format/bytes.ts';
import type { ByteSource } from '../../../native-free/io.ts';
import { LIMITS } from '../../../native-free/limits.ts';
import { UpdateError } from '../../../native-free/status.ts';
import { unreadable } from '../../platform/files/io-errors.ts';
import { fileByteSource } from '../../platform/files/node-io.ts';

export interface PatchInput extends ByteSource {
  /** For messages. */
  readonly name: string;
  /** Bytes; null where they are only known at the end. */
  readonly size: number | null;
  close(): void;
}

const STANDARD_INPUT = new Set(['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']);

/** Throws UpdateError `input_unreadable`; reads of a pipe that `signal` ends throw what it says. */
export async function openPatch(path: string, signal: AbortSignal): Promise<PatchInput> {
  if (STANDARD_INPUT.has(path)) return openStandardInput(signal);
  if (factsOf(path)?.isFIFO() !== true) {
    const file = fileByteSource(path);
    return { name: path, size: file.size, read: () => file.read(), close: () => file.close() };
  }
  try {
    // Without O_NONBLOCK the open itself would wait for a writer, and no signal would be heard.
    return await pipeInput(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), path, signal);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function factsOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null;
  }
}

async function openStandardInput(signal: AbortSignal): Promise<PatchInput> {
  const name = 'standard input';
  const facts = fstatSync(0);
  if (facts.isFIFO() || facts.isSocket()) return pipeInput(0, name, signal);
  if (isatty(0)) {
    throw new UpdateError('input_unreadable', 'standard input is a terminal: redirect it from a file or a pipe');
  }
  // A file, from where whoever opened it has left off.
  const piece = new Uint8Array(LIMITS.chunk_bytes);
  return {
    name,
    size: null,
    async read() {
      try {
        const got = readSync(0, piece, 0, piece.length, null);
        return got === 0 ? null : piece.subarray(0, got);
      } catch (error) {
        throw unreadable(name, error);
      }
    },
    close: () => undefined,
  };
}

async function pipeInput(fd: number, name: string, signal: AbortSignal): Promise<PatchInput> {
  const { Socket } = await import('node:net');
  const { addAbortSignal } = await import('node:stream');
  const socket = new Socket({ fd, readable: true, writable: false });
  addAbortSignal(signal, socket);
  const pieces = socket[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  return {
    name,
    size: null,
    async read() {
      try {
        const next = await pieces.next();
        return next.done === true ? null : next.value;
      } catch (error) {
        throw signal.aborted ? error : unreadable(name, error);
      }
    },
    close: () => void socket.destroy(),
  };
}

/** All that is left, for formats that need it whole. Throws UpdateError `limit_exceeded` over `bytesMax`. */
export async function readToEnd(input: ByteSource, name: string, bytesMax: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (let piece = await input.read(); piece !== null; piece = await input.read()) {
    bytes += piece.length;
    if (bytes > bytesMax) {
      throw new UpdateError('limit_exceeded', `${name} has more than ${bytesMax} bytes, which are the most`);
    }
    // A piece may be reused by the next read.
    pieces.push(piece.slice());
  }
  return concat(pieces);
}
