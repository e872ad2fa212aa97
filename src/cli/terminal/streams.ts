/**
 * Standard output and standard error that never decide how a program ends.
 *
 * A full log disk, a reader that has gone or a terminal that hung up is told (where there is still somebody to tell),
 * and the exit code stays that of the work: whoever sees 1 instead of 0 installs an update twice, and whoever sees 1
 * instead of 20 never learns that an image was wrong. An output that was asked for by name (`-o`) is another matter;
 * that is work (platform/files/atomic-file.ts).
 *
 * @module
 */
const guarded = new WeakSet<NodeJS.WriteStream>();

/** A reader that closes the pipe (head) has seen enough: nobody has to be told. */
const isReaderGone = (error: NodeJS.ErrnoException): boolean => error.code === 'EPIPE';

/** Take the failures of both streams, from the first write on. Calling it again changes nothing. */
export function guardStandardStreams(): void {
  let told = false;
  guard(process.stdout, (error) => {
    if (told || isReaderGone(error)) return;
    told = true;
    process.stderr.write(`note: standard output cannot be written: ${error.message}\n`);
  });
  guard(process.stderr, () => undefined);
}

function guard(stream: NodeJS.WriteStream, onError: (error: NodeJS.ErrnoException) => void): void {
  if (guarded.has(stream)) return;
  guarded.add(stream);
  stream.on('error', onError);
}
