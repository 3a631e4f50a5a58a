import assert from 'node:assert/strict';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

export interface Message {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string;
}

/** A reader of Server-sent events (HTML standard, 9.2.6), as far as the registry writes them. */
export interface Stream {
  readonly headers: IncomingHttpHeaders;
  /** The next message with data; rejects where the stream ends, or none comes within 10 s. */
  next(): Promise<Message>;
  /** Messages that came and were not asked for. */
  readonly pending: number;
  /** What was written so far, comments too. */
  readonly text: string;
  readonly ended: Promise<void>;
  close(): void;
}

export async function openStream(
  t: { after(fn: () => unknown): void },
  port: number,
  secret: string,
  query = '',
  headers: Record<string, string> = {},
  route = '/events',
): Promise<Stream> {
  const asked = request({
    ...{ port, host: '127.0.0.1', path: `/api/v1${route}${query}`, agent: false },
    headers: { Authorization: `Bearer ${secret}`, ...headers },
  });
  t.after(() => asked.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  asked.on('response', resolve).on('error', reject).end();
  const answer = await promise;
  assert.equal(answer.statusCode, 200);
  const ended = Promise.withResolvers<void>();
  const messages: Message[] = [];
  let text = '';
  let rest = '';
  let wake = () => {};
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop()!;
    messages.push(...blocks.map(parse).filter((message) => message !== undefined));
    wake();
  });
  answer.on('error', () => {});
  answer.on('close', () => {
    ended.resolve();
    wake();
  });
  let over = false;
  void ended.promise.then(() => {
    over = true;
  });
  while (!text.includes(': following')) {
    await new Promise<void>((done) => {
      wake = done;
    });
  }
  return {
    headers: answer.headers,
    ended: ended.promise,
    get pending() {
      return messages.length;
    },
    get text() {
      return text;
    },
    close: () => asked.destroy(),
    async next() {
      const late = setTimeout(() => asked.destroy(), 10_000);
      while (messages.length === 0) {
        assert.ok(!over, `the stream has ended: ${text}`);
        await new Promise<void>((done) => {
          wake = done;
        });
      }
      clearTimeout(late);
      return messages.shift()!;
    },
  };
}

function parse(block: string): Message | undefined {
  const field = (name: string) =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2);
  const data = field('data');
  return data === undefined ? undefined : { id: field('id'), event: field('event'), data };
}
