import type { Readable } from 'node:stream';

export interface Frame {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

/** A frame that says it is longer is not of an engine. */
const maxFrame = 16 << 20;

/** The frames of a stream without a terminal ("Stream format" of the engine's API): type, three zeros, length. */
export async function* demux(source: Readable): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 8) {
      const length = rest.readUInt32BE(4);
      if (length > maxFrame) throw new Error(`a frame of ${length} bytes`);
      if (rest.length < 8 + length) break;
      const stream = rest[0] === 2 ? 'stderr' : 'stdout';
      yield { stream, bytes: rest.subarray(8, 8 + length) };
      rest = rest.subarray(8 + length);
    }
  }
}

/** Values of a stream of JSON, one a line. Throws where a line is longer than `maxLine` or no JSON. */
export async function* jsonLines<Value>(
  source: Readable,
  maxLine = 1 << 20,
): AsyncGenerator<Value> {
  let rest = '';
  source.setEncoding('utf8');
  for await (const chunk of source) {
    rest += chunk as string;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end).trim();
      rest = rest.slice(end + 1);
      if (line) yield JSON.parse(line) as Value;
    }
    if (rest.length > maxLine) throw new Error(`a line of more than ${maxLine} characters`);
  }
  if (rest.trim()) yield JSON.parse(rest) as Value;
}
