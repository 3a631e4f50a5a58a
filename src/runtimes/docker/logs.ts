import type { RuntimeLogLine } from '../../ports/runtime-driver.ts';
import { demux } from './demux.ts';
import type { Engine } from './engine.ts';
import { pathOf } from './next-end.ts';
import { hasStatus, noSuchInstance, refused } from './refusals.ts';

export interface LogOptions {
  readonly since?: number;
  readonly tail?: number;
  readonly follow: boolean;
  readonly signal?: AbortSignal;
}

/** A longer line comes in pieces. */
const maxLine = 256 << 10;

/** Lines of a container's output. The engine cuts long ones: pieces without an end of line are joined again. */
export async function* readLogs(
  engine: Engine,
  id: string,
  { since, tail, follow, signal }: LogOptions,
): AsyncGenerator<RuntimeLogLine> {
  const stream = await engine
    .stream({
      method: 'GET',
      path: `${pathOf(id)}/logs`,
      query: {
        stdout: true,
        stderr: true,
        timestamps: true,
        follow,
        // Seconds, with a fraction.
        since: since === undefined ? undefined : (since / 1000).toFixed(3),
        tail,
      },
      signal,
    })
    .catch((error) => {
      throw hasStatus(error, 404) ? noSuchInstance(id) : refused(error, {});
    });
  const open: {
    [Name in RuntimeLogLine['stream']]?: LineStart & { pieces: Buffer[]; length: number };
  } = {};
  try {
    for await (const { stream: name, bytes } of demux(stream)) {
      const { text, ...start } = withoutTime(bytes);
      const ends = text.at(-1) === 0x0a;
      const line = open[name] ?? { ...start, pieces: [], length: 0 };
      open[name] = line;
      line.pieces.push(ends ? text.subarray(0, -1) : text);
      line.length += text.length;
      if (!ends && line.length < maxLine) continue;
      delete open[name];
      yield lineOf(name, line);
    }
    for (const [name, line] of Object.entries(open)) {
      yield lineOf(name as RuntimeLogLine['stream'], line);
    }
  } catch (error) {
    // What was asked to end has ended.
    if (!signal?.aborted) throw error;
  } finally {
    stream.destroy();
  }
}

interface LineStart {
  readonly at: number;
  readonly nanos: number;
}

function lineOf(
  stream: RuntimeLogLine['stream'],
  { at, nanos, pieces }: LineStart & { pieces: Buffer[] },
): RuntimeLogLine {
  return { at, nanos, stream, text: Buffer.concat(pieces).toString() };
}

/** `2026-01-02T03:04:05.123456789Z text`; the engine leaves out zeros at the end of the fraction. */
function withoutTime(bytes: Buffer): LineStart & { text: Buffer } {
  const end = bytes.indexOf(0x20);
  const stamp = bytes.toString('latin1', 0, end);
  const at = Date.parse(stamp);
  if (Number.isNaN(at)) return { at: 0, nanos: 0, text: bytes };
  const fraction = /\.(\d{1,9})/.exec(stamp)?.[1] ?? '';
  return { at, nanos: Number(fraction.padEnd(9, '0').slice(3)), text: bytes.subarray(end + 1) };
}
