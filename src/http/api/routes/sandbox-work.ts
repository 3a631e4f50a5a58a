import { isUtf8 } from 'node:buffer';
import { PassThrough, Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { functionLimits } from '../../../config/function-limits.ts';
import { refuse } from '../../../oci/errors.ts';
import type { RuntimeExec } from '../../../ports/runtime-driver.ts';
import type { Sandbox } from '../../../ports/sandboxes.ts';
import { acceptBody, contentLength, withProgress } from '../../body.ts';
import { toErrorInfo } from '../../errors.ts';
import { sendStream } from '../../send-stream.ts';
import { toApiError } from '../errors.ts';
import { type Call, noContent, type Route } from '../route.ts';
import { runtimeOf } from '../runtime-services.ts';
import { list, object, text } from '../schema.ts';
import { writeOut } from '../write-out.ts';

const { sandbox: limits } = functionLimits;
/** How long a client may take nothing of a command's output before it is cut. */
const patienceMs = 60_000;

interface ExecBody {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly user?: string;
  readonly stdin?: string;
  readonly stdinBase64?: string;
  readonly timeout?: number;
}

const inside = text(4096, {
  pattern: '^/[^\\u0000]*$',
  description: 'A path in the sandbox, which begins with /.',
});

/** Commands and files. */
export function sandboxWorkRoutes(
  common: Pick<Route, 'path' | 'access' | 'tag'> & Required<Pick<Route, 'params'>>,
  sandboxOf: (call: Call) => Promise<Sandbox>,
): Route[] {
  const { access, tag, params } = common;
  const path = `${common.path}/{sandbox}`;
  return [
    {
      method: 'POST',
      path: `${path}/exec`,
      operationId: 'execInSandbox',
      tag,
      summary: 'Runs a command in a sandbox, and streams its output.',
      description:
        'The answer is JSON Lines, as they come: `{"stream": "stdout", "text": …}`, with `base64` in the place of `text` for bytes that are no UTF-8, and at the end `{"exit": code}`, or `{"error": {code, message, hint}}` where the output broke off. A client that goes away ends the command.',
      access,
      params,
      body: object(
        {
          command: list(
            { type: 'string', maxLength: 131_072, pattern: '^[^\\u0000]*$' },
            {
              ...{ minItems: 1, maxItems: 1000 },
              description: 'The program and its arguments; no shell in between.',
              examples: [['/bin/sh', '-c', 'ls -l']],
            },
          ),
          env: {
            type: 'object',
            propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$', maxLength: 255 },
            additionalProperties: { type: 'string', maxLength: 65_536, pattern: '^[^\\u0000]*$' },
            maxProperties: 1000,
          },
          workingDir: inside,
          user: text(128, { pattern: '^[A-Za-z0-9_.:-]+$', examples: ['1000:1000'] }),
          stdin: { type: 'string', maxLength: 500_000 },
          stdinBase64: { type: 'string', maxLength: 700_000, pattern: '^[A-Za-z0-9+/]*={0,2}$' },
          timeout: {
            ...{ type: 'integer', minimum: 1, maximum: Math.floor(limits.longestMs / 1000) },
            description: 'Seconds after which it is killed.',
          },
        },
        {
          optional: ['env', 'workingDir', 'user', 'stdin', 'stdinBase64', 'timeout'],
          title: 'SandboxCommand',
        },
      ),
      replies: {
        200: {
          description: 'What it writes, and how it ended.',
          schema: { type: 'string' },
          mediaType: 'application/x-ndjson',
        },
      },
      refusals: [409],
      handle: async (call) => exec(call, await sandboxOf(call)),
    },
    {
      method: 'GET',
      path: `${path}/files`,
      operationId: 'readSandboxFiles',
      tag,
      summary: 'A file or folder of a sandbox, as a tar.',
      access,
      params,
      query: object({ path: inside }),
      replies: {
        200: {
          description: 'The tar.',
          schema: { type: 'string', format: 'binary' },
          mediaType: 'application/x-tar',
        },
      },
      refusals: [409],
      async handle(call) {
        const found = await sandboxOf(call);
        const { manager } = runtimeOf(call.services).sandboxes;
        const tar = await manager.readFiles(found, call.query.path as string);
        const { res } = call;
        res.writeHead(200, {
          'Content-Type': 'application/x-tar',
          'Cache-Control': 'no-store',
          'X-Content-Type-Options': 'nosniff',
        });
        if (call.req.method === 'HEAD') {
          tar.destroy();
          res.end();
          return undefined;
        }
        await sendStream(tar, res).catch(() => res.destroy());
        return undefined;
      },
    },
    {
      method: 'PUT',
      path: `${path}/files`,
      operationId: 'writeSandboxFiles',
      tag,
      summary: 'Unpacks a tar into a folder of a sandbox.',
      description: 'The folder has to be there: `/` always is.',
      access,
      params,
      query: object({ path: inside }),
      rawBody: {
        mediaType: 'application/x-tar',
        schema: { type: 'string', format: 'binary' },
      },
      replies: { 204: { description: 'The files are there.' } },
      refusals: [409],
      handle: async (call) => writeFiles(call, await sandboxOf(call)),
    },
  ];
}

async function exec(call: Call, found: Sandbox): Promise<undefined> {
  const { res } = call;
  const { manager } = runtimeOf(call.services).sandboxes;
  const { timeout, stdin, stdinBase64, ...rest } = call.body as ExecBody;
  const given = stdinBase64 === undefined ? stdin : Buffer.from(stdinBase64, 'base64');
  const gone = new AbortController();
  const closed = () => gone.abort();
  res.once('close', closed);
  let timedOut = false;
  let timer: NodeJS.Timeout | undefined;
  try {
    const command = await manager.exec(found, {
      ...rest,
      ...(given !== undefined && { stdin: Readable.from([Buffer.from(given)]) }),
      signal: gone.signal,
    });
    if (timeout !== undefined) {
      timer = setTimeout(() => {
        timedOut = true;
        void command.kill().catch(() => {});
      }, timeout * 1000);
    }
    res.writeHead(200, {
      'Content-Type': 'application/x-ndjson',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'X-Accel-Buffering': 'no',
    });
    res.flushHeaders();
    const end = await stream(call, command, gone.signal).catch((error: unknown) => {
      const { body } = toApiError(toErrorInfo(error));
      return { error: body };
    });
    res.end(`${JSON.stringify(timedOut ? { ...end, timedOut } : end)}\n`);
  } finally {
    clearTimeout(timer);
    res.off('close', closed);
  }
  return undefined;
}

async function stream({ res }: Call, command: RuntimeExec, signal: AbortSignal): Promise<object> {
  const rests: Record<'stdout' | 'stderr', Buffer> = {
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
  };
  const write = (line: object) => writeOut(res, `${JSON.stringify(line)}\n`, patienceMs, signal);
  for await (const { stream, bytes } of command.output) {
    if (signal.aborted) break;
    const whole = rests[stream].length > 0 ? Buffer.concat([rests[stream], bytes]) : bytes;
    const cut = whole.length - partOfCharacter(whole);
    rests[stream] = whole.subarray(cut);
    if (cut > 0) await write({ stream, ...shown(whole.subarray(0, cut)) });
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    if (rests[stream].length > 0) await write({ stream, ...shown(rests[stream]) });
  }
  return { exit: await command.exit };
}

const shown = (bytes: Buffer) =>
  isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString('base64') };

/** Bytes at the end that begin a character of UTF-8 whose rest is still to come. */
function partOfCharacter(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? back : 0;
  }
  return 0;
}

async function writeFiles(call: Call, found: Sandbox): Promise<typeof noContent> {
  const { req, res, services } = call;
  if (!/^application\/x-tar\s*(?:;|$)/i.test(req.headers['content-type'] ?? '')) {
    throw refuse(
      'unsupported-media-type',
      'The body must be a tar, not compressed.',
      'Send it as: tar c FILES | curl -T - -H "Content-Type: application/x-tar" URL',
    );
  }
  const tooLarge = () =>
    refuse(
      'layer-too-large',
      `The tar has more than the ${limits.files} bytes that are allowed.`,
      'Send it in parts.',
    );
  if ((contentLength(req) ?? 0) > limits.files) throw tooLarge();
  const { manager } = runtimeOf(services).sandboxes;
  acceptBody({ req, res });
  let bytes = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > limits.files) done(tooLarge());
      else done(null, chunk);
    },
  });
  const tar = new PassThrough();
  await withProgress(req, services.settings.bodyTimeoutMs, async () => {
    const fed = pipeline(req, counted, tar);
    fed.catch(() => {});
    try {
      await manager.writeFiles(found, call.query.path as string, tar);
    } catch (error) {
      tar.destroy();
      // What was wrong with the body says more than what the engine made of it.
      await fed.catch((cause: unknown) => {
        if ((cause as { info?: unknown }).info) throw cause;
      });
      throw error;
    }
    await fed;
  });
  return noContent;
}
